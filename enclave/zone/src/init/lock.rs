//! Shuts what the kernel leaves open, for the life of the VM.

use std::{fs, io};

/// Why the kernel is not locked; the VM must not go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum LockError {
    /// The command line does not ask for it, or the kernel does not know it.
    #[error("the kernel is not locked down: its command line must say `lockdown=confidentiality module.sig_enforce=1`")]
    NotLockedDown,
    /// A switch is not there, or does not turn.
    #[error("`{name}` cannot be set")]
    Switch {
        name: &'static str,
        #[source]
        source: io::Error,
    },
}

/// Sees that the kernel is locked down and turns every switch.
pub(super) fn down() -> Result<(), LockError> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    if !read("/sys/kernel/security/lockdown").contains("[confidentiality]")
        || read("/sys/module/module/parameters/sig_enforce").trim_end() != "Y"
    {
        return Err(LockError::NotLockedDown);
    }
    for (name, value) in SWITCHES {
        fs::write(format!("/proc/sys/{name}"), value).map_err(|source| LockError::Switch { name, source })?;
    }
    Ok(())
}

/// Files under /proc/sys and what they are set to; some can never be set back.
const SWITCHES: [(&str, &str); 13] = [
    ("kernel/modules_disabled", "1"),
    ("kernel/kexec_load_disabled", "1"),
    ("kernel/io_uring_disabled", "2"),
    ("kernel/unprivileged_bpf_disabled", "1"),
    ("kernel/perf_event_paranoid", "3"),
    ("kernel/yama/ptrace_scope", "3"),
    ("kernel/kptr_restrict", "2"),
    ("kernel/dmesg_restrict", "1"),
    ("kernel/core_pattern", ""),
    ("fs/suid_dumpable", "0"),
    ("user/max_user_namespaces", "0"),
    ("kernel/sysrq", "0"),
    // A kernel that has stumbled answers nothing more; `panic=-1` ends the VM.
    ("kernel/panic_on_oops", "1"),
];
