//! `[process]`: the users that the processes run as when root starts them.

use nix::unistd::{Gid, Uid, User};
use serde::Deserialize;

/// The users that the processes run as.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Process {
    /// Whom `octroi serve` becomes.
    pub serve_user: UserSetting,
    /// Whom it starts `octroi keys` as.
    pub keys_user: UserSetting,
    /// Whom it starts `octroi zone-host` as.
    pub zone_user: UserSetting,
}

impl Default for Process {
    fn default() -> Self {
        Self {
            serve_user: UserSetting::Id(64_801),
            keys_user: UserSetting::Id(64_802),
            zone_user: UserSetting::Id(64_803),
        }
    }
}

/// A user, by name or by number.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub enum UserSetting {
    /// As in the machine's user database.
    Name(String),
    /// Its number; its group has the same, where the user database knows no better.
    Id(u32),
}

/// A user that is none, or root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a user's name, or a number from 1 to 4294967293; root is refused")]
pub struct InvalidAccount;

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Id(i64),
    Name(String),
}

impl TryFrom<Written> for UserSetting {
    type Error = InvalidAccount;

    fn try_from(written: Written) -> Result<Self, InvalidAccount> {
        match written {
            Written::Id(id) => match u32::try_from(id) {
                Ok(id) if (1..u32::MAX - 1).contains(&id) => Ok(Self::Id(id)),
                Ok(_) | Err(_) => Err(InvalidAccount),
            },
            Written::Name(name) if name.is_empty() || name == "root" => Err(InvalidAccount),
            Written::Name(name) => Ok(Self::Name(name)),
        }
    }
}

/// A user and its group, resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// The user.
    pub user: Uid,
    /// Its group.
    pub group: Gid,
}

/// A user that the machine does not know, or that turns out to be root.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no unprivileged user `{name}`: create it, or give a number in `process`")]
pub struct UnknownAccount {
    /// Its name.
    pub name: String,
}

impl UserSetting {
    /// The user's numbers.
    ///
    /// # Errors
    /// [`UnknownAccount`] when there is no such user, or it is root.
    pub fn resolve(&self) -> Result<Account, UnknownAccount> {
        let (known, name) = match self {
            Self::Name(name) => (User::from_name(name).ok().flatten(), name.clone()),
            Self::Id(id) => {
                let user = Uid::from_raw(*id);
                let group = User::from_uid(user).ok().flatten().map_or(Gid::from_raw(*id), |known| known.gid);
                return Ok(Account { user, group });
            }
        };
        match known {
            Some(user) if !user.uid.is_root() => Ok(Account { user: user.uid, group: user.gid }),
            Some(_) | None => Err(UnknownAccount { name }),
        }
    }
}
