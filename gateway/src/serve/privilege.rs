//! Dropping root for good.

use nix::{
    errno::Errno,
    unistd::{Gid, Uid, getgroups, getresgid, getresuid, setgroups, setresgid, setresuid},
};

use crate::settings::{Account, Process, UnknownAccount};

/// Proof that this process is not root and cannot become root. Listeners ask for it.
#[derive(Debug)]
pub struct Unprivileged(());

/// Why root could not be dropped.
#[derive(Debug, thiserror::Error)]
pub enum PrivilegeError {
    /// A step failed.
    #[error("cannot {step}: {cause}")]
    Step {
        /// Which.
        step: &'static str,
        /// Why.
        cause: Errno,
    },
    /// Something of root is left.
    #[error("root was dropped and something of it is left: refusing to listen")]
    Regained,
}

/// Who started the process.
#[derive(Debug)]
pub(super) enum Standing {
    /// Root: each process gets its own user.
    Root {
        /// Whom serve becomes.
        serve: Account,
        /// Whom keys is started as.
        keys: Account,
        /// Whom the zone host is started as.
        zone: Account,
    },
    /// Somebody else: all processes share that user.
    Shared,
}

impl Standing {
    pub(super) fn now(settings: &Process) -> Result<Self, UnknownAccount> {
        if Uid::effective().is_root() || Uid::current().is_root() {
            let (serve, keys) = (settings.serve_user.resolve()?, settings.keys_user.resolve()?);
            let zone = settings.zone_user.resolve()?;
            if serve.user == keys.user {
                tracing::warn!(
                    "`process.serve_user` and `process.keys_user` are one user: serve can read the root key"
                );
            }
            if zone.user == serve.user || zone.user == keys.user {
                tracing::warn!(
                    "`process.zone_user` is another process's user too: a zone that breaks out is that user"
                );
            }
            Ok(Self::Root { serve, keys, zone })
        } else {
            tracing::warn!(
                "serve, keys and the zone host share a user, so each can read the root key: let root start octroi"
            );
            Ok(Self::Shared)
        }
    }

    pub(super) fn keys_account(&self) -> Option<Account> {
        match self {
            Self::Root { keys, .. } => Some(*keys),
            Self::Shared => None,
        }
    }

    pub(super) fn zone_account(&self) -> Option<Account> {
        match self {
            Self::Root { zone, .. } => Some(*zone),
            Self::Shared => None,
        }
    }

    /// Gives root up, with groups and capabilities, and makes sure that it is gone.
    pub(super) fn drop_root(self) -> Result<Unprivileged, PrivilegeError> {
        match self {
            Self::Root { serve: Account { user, group }, .. } => {
                setgroups(&[]).map_err(during("leave root's groups"))?;
                setresgid(group, group, group).map_err(during("change the group"))?;
                setresuid(user, user, user).map_err(during("change the user"))?;
                verify(user, group)
            }
            Self::Shared => Ok(Unprivileged(())),
        }
    }
}

fn verify(user: Uid, group: Gid) -> Result<Unprivileged, PrivilegeError> {
    let users = getresuid().map_err(during("read the user"))?;
    let groups = getresgid().map_err(during("read the group"))?;
    let others = getgroups().map_err(during("read the groups"))?;
    let changed = [users.real, users.effective, users.saved] == [user; 3]
        && [groups.real, groups.effective, groups.saved] == [group; 3]
        && others.is_empty();
    let root = (Uid::from_raw(0), Gid::from_raw(0));
    let regained = setresuid(root.0, root.0, root.0).is_ok() || setresgid(root.1, root.1, root.1).is_ok();
    if changed && !regained && !user.is_root() { Ok(Unprivileged(())) } else { Err(PrivilegeError::Regained) }
}

fn during(step: &'static str) -> impl FnOnce(Errno) -> PrivilegeError {
    move |cause| PrivilegeError::Step { step, cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Dropping root in earnest would take the whole test process along: the end-to-end tests do it.
    #[test]
    fn root_that_was_not_dropped_is_noticed() {
        if Uid::effective().is_root() {
            assert!(matches!(verify(Uid::from_raw(0), Gid::from_raw(0)), Err(PrivilegeError::Regained)));
        } else {
            assert!(matches!(verify(Uid::from_raw(1), Gid::from_raw(1)), Err(PrivilegeError::Regained)));
        }
    }
}
