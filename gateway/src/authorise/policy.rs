//! The policies: loaded once, checked against their schema, then asked.
//!
//! Trusts the folder it is given (who can write there, rules). Reads no register and no clock.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs, io,
    path::{Path, PathBuf},
};

use cedar_policy::{
    ActionConstraint, AuthorizationError, Authorizer, Context, Decision, Entities, Entity, EntityUid, Policy, PolicyId,
    PolicySet, Request, RestrictedExpression, Schema, ValidationMode, Validator,
};

use super::{ACTIONS, denied::Undecided, entity::Kind};
use crate::answer::Chain;

/// The name of the schema in the folder of the policies.
const SCHEMA: &str = "octroi.cedarschema";

/// The longest policy file, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// The policies in force.
#[derive(Debug)]
pub(super) struct Policies {
    schema: Schema,
    /// Those that can bear on an action, so that none looks at the rest.
    by_action: HashMap<&'static str, PolicySet>,
    authorizer: Authorizer,
    sha256: [u8; 32],
}

/// Why the policies cannot be used. The gateway does not start then.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The folder or a file in it cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that is no policy: perhaps one with a misspelt name, whose rules would silently be missing.
    #[error("`{}` is neither `{SCHEMA}` nor a `.cedar` file of at most 1 MiB: move it elsewhere", path.display())]
    Stray {
        /// Which.
        path: PathBuf,
    },
    /// The schema does not parse.
    #[error("`{}` is no schema: {problem}", path.display())]
    Schema {
        /// Where it is.
        path: PathBuf,
        /// What is wrong, with its place.
        problem: String,
    },
    /// The schema's actions are not the gateway's.
    #[error("`{SCHEMA}` must have exactly the gateway's actions: it lacks {missing:?} and has {unknown:?} besides")]
    Actions {
        /// Actions of the gateway that it lacks.
        missing: Vec<String>,
        /// Actions that the gateway does not know.
        unknown: Vec<String>,
    },
    /// A file does not parse.
    #[error("`{}` holds no policies: {problem}", path.display())]
    Syntax {
        /// Which.
        path: PathBuf,
        /// What is wrong, with its place.
        problem: String,
    },
    /// A policy has no `@id`, so evidence could not name it.
    #[error("`{}` has a policy without an `@id`", path.display())]
    Nameless {
        /// In which file.
        path: PathBuf,
    },
    /// Two policies have one `@id`.
    #[error("two policies have the id `{0}`")]
    Twice(String),
    /// The policies do not fit the schema.
    #[error("the policies do not fit the schema: {}", .0.join("; "))]
    Unfit(Vec<String>),
}

/// What is put to the policies.
pub(super) struct Question {
    pub(super) principal: EntityUid,
    pub(super) action: &'static str,
    pub(super) resource: EntityUid,
    pub(super) context: Vec<(String, RestrictedExpression)>,
}

/// What they say.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) allowed: bool,
    /// Ids of the policies that determined it, in order. Empty when no policy permits.
    pub(super) policies: Vec<String>,
}

impl Policies {
    /// Loads `octroi.cedarschema` and every `.cedar` file of a folder, and validates them strictly.
    pub(super) fn load(folder: &Path) -> Result<Self, PolicyError> {
        let files = read(folder)?;
        let schema = schema(folder, &files)?;
        let mut all = PolicySet::new();
        for (path, text) in files.iter().filter(|(path, _)| !is_schema(path)) {
            add(&mut all, path, text)?;
        }
        validate(&schema, &all)?;
        Ok(Self { by_action: by_action(&all)?, schema, authorizer: Authorizer::new(), sha256: digest(&files) })
    }

    /// SHA-256 over names and contents of the files.
    pub(super) fn sha256(&self) -> [u8; 32] {
        self.sha256
    }

    /// How many policies could permit an action and say so by its name.
    #[cfg(test)]
    pub(super) fn permits_naming(&self, action: &str) -> usize {
        let named = |policy: &&Policy| {
            policy.effect() == cedar_policy::Effect::Permit
                && !matches!(policy.action_constraint(), ActionConstraint::Any)
        };
        self.by_action.get(action).map_or(0, |set| set.policies().filter(named).count())
    }

    /// The entities that questions are about, checked against the schema.
    pub(super) fn entities(&self, entities: impl IntoIterator<Item = Entity>) -> Result<Entities, Undecided> {
        // The caller may be the target too: one entity then.
        let once: HashMap<EntityUid, Entity> = entities.into_iter().map(|entity| (entity.uid(), entity)).collect();
        Entities::from_entities(once.into_values(), Some(&self.schema))
            .map_err(|problem| Undecided::Facts(problem.into()))
    }

    /// Asks. A policy that fails while it is evaluated may have been a `forbid`: there is no verdict then.
    pub(super) fn ask(&self, question: Question, entities: &Entities) -> Result<Verdict, Undecided> {
        let Question { principal, action, resource, context } = question;
        let context = Context::from_pairs(context).map_err(|problem| Undecided::Facts(problem.into()))?;
        let request = Request::new(principal, Kind::Action.uid(action), resource, context, Some(&self.schema))
            .map_err(|problem| Undecided::Facts(problem.into()))?;
        let Some(policies) = self.by_action.get(action) else {
            return Ok(Verdict { allowed: false, policies: Vec::new() });
        };
        let response = self.authorizer.is_authorized(&request, policies, entities);
        let failed = sorted(response.diagnostics().errors().map(|error| match error {
            AuthorizationError::PolicyEvaluationError(error) => error.policy_id(),
        }));
        if !failed.is_empty() {
            return Err(Undecided::Policies(failed));
        }
        let allowed = match response.decision() {
            Decision::Allow => true,
            Decision::Deny => false,
        };
        Ok(Verdict { allowed, policies: sorted(response.diagnostics().reason()) })
    }
}

fn sorted<'a>(ids: impl Iterator<Item = &'a PolicyId>) -> Vec<String> {
    let mut ids: Vec<String> = ids.map(ToString::to_string).collect();
    ids.sort_unstable();
    ids
}

fn is_schema(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == SCHEMA)
}

/// The folder's files in the order of their names; those that begin with a dot are left out.
fn read(folder: &Path) -> Result<BTreeMap<PathBuf, String>, PolicyError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| PolicyError::Unreadable { path, source }
    };
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
        let path = entry.map_err(unreadable(folder))?.path();
        if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
            continue;
        }
        let about = fs::metadata(&path).map_err(unreadable(&path))?;
        let named = is_schema(&path) || path.extension().is_some_and(|extension| extension == "cedar");
        if !named || !about.is_file() || about.len() > LONGEST {
            return Err(PolicyError::Stray { path });
        }
        let text = fs::read_to_string(&path).map_err(unreadable(&path))?;
        files.insert(path, text);
    }
    Ok(files)
}

fn schema(folder: &Path, files: &BTreeMap<PathBuf, String>) -> Result<Schema, PolicyError> {
    let path = folder.join(SCHEMA);
    let problem = |problem: String| PolicyError::Schema { path: path.clone(), problem };
    let text = files.get(&path).ok_or_else(|| problem("it is missing".to_owned()))?;
    let (schema, mut warnings) =
        Schema::from_cedarschema_str(text).map_err(|error| problem(Chain(&error).to_string()))?;
    if let Some(warning) = warnings.next() {
        return Err(problem(Chain(&warning).to_string()));
    }
    let theirs: BTreeSet<String> = schema.actions().map(|uid| uid.id().unescaped().to_owned()).collect();
    let ours: BTreeSet<String> = ACTIONS.iter().map(|name| (*name).to_owned()).collect();
    if theirs == ours {
        return Ok(schema);
    }
    Err(PolicyError::Actions {
        missing: ours.difference(&theirs).cloned().collect(),
        unknown: theirs.difference(&ours).cloned().collect(),
    })
}

/// Adds a file's policies under the ids of their `@id` annotations.
fn add(all: &mut PolicySet, path: &Path, text: &str) -> Result<(), PolicyError> {
    let syntax = |problem: String| PolicyError::Syntax { path: path.to_owned(), problem };
    let parsed: PolicySet =
        text.parse().map_err(|error: cedar_policy::ParseErrors| syntax(Chain(&error).to_string()))?;
    if parsed.templates().next().is_some() {
        return Err(syntax("templates are not used here: write the policy out".to_owned()));
    }
    for policy in parsed.policies() {
        let id = policy.annotation("id").filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| PolicyError::Nameless { path: path.to_owned() })?;
        all.add(policy.new_id(PolicyId::new(id))).map_err(|_| PolicyError::Twice(id.to_owned()))?;
    }
    Ok(())
}

fn validate(schema: &Schema, all: &PolicySet) -> Result<(), PolicyError> {
    let result = Validator::new(schema.clone()).validate(all, ValidationMode::Strict);
    let problems: Vec<String> = result
        .validation_errors()
        .map(ToString::to_string)
        .chain(result.validation_warnings().map(ToString::to_string))
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(PolicyError::Unfit(problems)) }
}

/// Sorts policies by the actions in their scope. One whose scope names something else than actions (none, or a group)
/// is asked about every action.
fn by_action(all: &PolicySet) -> Result<HashMap<&'static str, PolicySet>, PolicyError> {
    let mut sorted: HashMap<&'static str, PolicySet> = HashMap::new();
    for policy in all.policies() {
        for action in ACTIONS.iter().filter(|action| concerns(policy, action)) {
            let set = sorted.entry(action).or_default();
            set.add(policy.clone()).map_err(|_| PolicyError::Twice(policy.id().to_string()))?;
        }
    }
    Ok(sorted)
}

fn concerns(policy: &Policy, action: &str) -> bool {
    let named = |uid: &EntityUid| {
        let name: &str = uid.id().unescaped();
        name == action || !ACTIONS.contains(&name)
    };
    match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(uid) => named(&uid),
        ActionConstraint::In(uids) => uids.iter().any(named),
    }
}

fn digest(files: &BTreeMap<PathBuf, String>) -> [u8; 32] {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for (path, text) in files {
        for part in [path.file_name().unwrap_or_default().as_encoded_bytes(), text.as_bytes()] {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part);
        }
    }
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(context.finish().as_ref());
    sha256
}
