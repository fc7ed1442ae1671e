//! `octroi principal` and `octroi whoami`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Subcommand;
use octroi_proto::{
    Role, to_json,
    wire::v1::{self, add_principal_request::Credential},
};
use rcgen::KeyPair;
use zeroize::Zeroizing;

use super::{
    CommandError, Connection, Output,
    connect::{PAGE, every},
    identity,
    profile::{Profile, ProfileCredential},
};
use crate::secret_file;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add a principal, with a certificate or bound to a subject of an OIDC issuer
    #[command(
        after_help = "Examples:\n  octroi principal add voltaic --org voltaic-sas --role vendor --out voltaic\n  \
        octroi principal add voltaic --org voltaic-sas --role vendor --request voltaic.csr --out voltaic\n  \
        octroi principal add jeanne --org universite --role researcher --oidc https://idp.example 8f14e45f"
    )]
    Add {
        /// Its name: 3-63 of a-z, 0-9 and -
        name: String,
        /// The organisation it acts for
        #[arg(long)]
        org: String,
        /// steward, reviewer, operator, auditor, researcher, vendor, harvester or device
        #[arg(long)]
        role: Role,
        /// Bind it to a subject of a configured OIDC issuer instead of a certificate
        #[arg(long, num_args = 2, value_names = ["ISSUER", "SUBJECT"])]
        oidc: Option<Vec<String>>,
        /// Certify this request (PKCS#10, PEM) of the principal's own making, so that nobody else ever holds its key
        #[arg(long, value_name = "FILE", conflicts_with = "oidc")]
        request: Option<PathBuf>,
        /// Where to write its profile (and certificate and key); must not exist yet
        #[arg(long, value_name = "DIR", required_unless_present = "oidc")]
        out: Option<PathBuf>,
    },
    /// Approve a waiting principal: a steward and a second person must
    Approve {
        /// Whom
        name: String,
    },
    /// Revoke a principal for good; its streams end within a second
    Revoke {
        /// Whom
        name: String,
        /// Why, for the evidence
        #[arg(long)]
        reason: String,
    },
    /// List the principals
    List,
}

pub(crate) async fn run(command: Command, connection: &Connection, output: Output) -> Result<(), CommandError> {
    let mut principals = connection.principals();
    match command {
        Command::Add { name, org, role, oidc, request, out } => {
            let proof = Proof::of(oidc.as_deref(), request.as_deref())?;
            let who =
                v1::AddPrincipalRequest { name, organisation: org, role: role.to_wire().into(), credential: None };
            add(who, proof, out.as_deref(), connection, output).await
        }
        Command::Approve { name } => {
            let principal = principals.approve(v1::ApprovePrincipalRequest { name }).await?.into_inner();
            output.done(&principal, standing(&principal));
            Ok(())
        }
        Command::Revoke { name, reason } => {
            let principal = principals.revoke(v1::RevokePrincipalRequest { name, reason }).await?.into_inner();
            output.done(&principal, standing(&principal));
            Ok(())
        }
        Command::List => list(connection, output).await,
    }
}

/// How the new principal will prove who it is.
enum Proof {
    /// By a key made here, for it.
    Made(Box<KeyPair>),
    /// By a key of its own, which certified this request (DER).
    Own(Vec<u8>),
    /// By tokens.
    Oidc(v1::OidcSubject),
}

impl Proof {
    fn of(oidc: Option<&[String]>, request: Option<&Path>) -> Result<Self, CommandError> {
        match (oidc, request) {
            (Some([issuer, subject]), _) => {
                Ok(Self::Oidc(v1::OidcSubject { issuer: issuer.clone(), subject: subject.clone() }))
            }
            (_, Some(path)) => identity::read_request(path).map(Self::Own),
            _ => KeyPair::generate().map(Box::new).map(Self::Made).map_err(|error| CommandError::Tls(error.into())),
        }
    }

    fn credential(&self) -> Result<Credential, CommandError> {
        match self {
            Self::Made(key) => {
                identity::certificate_request(key).map(|it| Credential::CertificateRequest(it.der().to_vec()))
            }
            Self::Own(request) => Ok(Credential::CertificateRequest(request.clone())),
            Self::Oidc(subject) => Ok(Credential::Oidc(subject.clone())),
        }
    }
}

async fn add(
    who: v1::AddPrincipalRequest,
    proof: Proof,
    out: Option<&Path>,
    connection: &Connection,
    output: Output,
) -> Result<(), CommandError> {
    // The folder first: an identity that cannot be written down must not be issued.
    if let Some(out) = out {
        identity::create_folder(out)?;
    }
    let request = v1::AddPrincipalRequest { credential: Some(proof.credential()?), ..who };
    let added = connection.principals().add(request).await;
    if let (Err(_), Some(out)) = (&added, out) {
        // Empty still, so nothing of value can go.
        let _ = fs::remove_dir(out);
    }
    let answer = added?.into_inner();
    if let Some(out) = out {
        write_identity(out, &proof, &answer.certificate_chain, connection.profile())?;
    }
    let principal = answer.principal.ok_or(CommandError::Nonsense)?;
    output.done(&principal, standing(&principal));
    if let Some(out) = out {
        output.say(format!("profile: {}", out.join("profile.toml").display()));
    }
    Ok(())
}

fn write_identity(out: &Path, proof: &Proof, chain: &str, via: &Profile) -> Result<(), CommandError> {
    let ca = out.join("ca.pem");
    fs::copy(&via.ca, &ca).map_err(|source| CommandError::File { doing: "write", path: ca.clone(), source })?;
    let credential = match proof {
        Proof::Oidc(_) => ProfileCredential::TokenFile("token".into()),
        Proof::Made(_) | Proof::Own(_) => {
            let path = out.join("certificate.pem");
            fs::write(&path, chain).map_err(|source| CommandError::File { doing: "write", path, source })?;
            // Whoever made the key puts it there.
            ProfileCredential::Certificate { certificate: "certificate.pem".into(), key: "key.pem".into() }
        }
    };
    if let Proof::Made(key) = proof {
        secret_file::create(&out.join("key.pem"), Zeroizing::new(key.serialize_pem()).as_bytes())?;
    }
    let profile = Profile { ca: "ca.pem".into(), credential, ..via.clone() };
    profile.save(&out.join("profile.toml"))?;
    Ok(())
}

async fn list(connection: &Connection, output: Output) -> Result<(), CommandError> {
    let principals = every(async |page_token| {
        let request = v1::ListPrincipalsRequest { page_size: PAGE, page_token };
        let page = connection.principals().list(request).await?.into_inner();
        Ok((page.principals, page.next_page_token))
    })
    .await?;
    output.list(&principals, &["name", "organisation", "role", "state", "credential", "approved by"], |principal| {
        let shown = to_json(principal);
        let word = |field: &str| shown.get(field).and_then(|it| it.as_str()).unwrap_or_default().to_owned();
        let credential = if principal.oidc.is_some() { "token" } else { "certificate" };
        let approvals: Vec<_> = principal.approvals.iter().map(|approval| approval.by.clone()).collect();
        vec![
            principal.name.clone(),
            principal.organisation.clone(),
            word("role"),
            word("state"),
            credential.to_owned(),
            approvals.join(", "),
        ]
    });
    Ok(())
}

/// One sentence on where a principal stands.
fn standing(principal: &v1::Principal) -> String {
    let name = &principal.name;
    match principal.state() {
        v1::PrincipalState::Active => format!("{name} is active"),
        v1::PrincipalState::Revoked => format!("{name} is revoked"),
        v1::PrincipalState::Waiting | v1::PrincipalState::Unspecified => {
            let steward = principal.approvals.iter().any(|approval| approval.steward);
            let missing = match (principal.approvals.len(), steward) {
                (0, _) => "a steward and of a second person",
                (_, false) => "a steward",
                (_, true) => "a second person",
            };
            format!("{name} waits for the approval of {missing}: `octroi principal approve {name}`")
        }
    }
}

/// `octroi whoami`.
pub(crate) async fn whoami(connection: &Connection, output: Output) -> Result<(), CommandError> {
    let who = connection.principals().who_am_i(v1::WhoAmIRequest {}).await?.into_inner();
    let role = Role::from_wire(who.role).ok().flatten();
    let sentence = match role {
        Some(role) => format!("{} of {}, {role}, by {}", who.name, who.organisation, who.credential),
        None => "anonymous".to_owned(),
    };
    output.done(&who, sentence);
    Ok(())
}
