//! A named pipe that only its owner can open.

use std::ffi::{CStr, CString, c_void};
use std::io;
use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::ptr;

use tokio::net::windows::named_pipe::{
    ClientOptions, NamedPipeClient, NamedPipeServer, ServerOptions,
};
use windows_sys::Win32::Foundation::{ERROR_PIPE_BUSY, HANDLE, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertSidToStringSidA, ConvertStringSecurityDescriptorToSecurityDescriptorA, SDDL_REVISION_1,
    SE_KERNEL_OBJECT,
};
use windows_sys::Win32::Security::{
    GetTokenInformation, PSECURITY_DESCRIPTOR, PSID, SECURITY_ATTRIBUTES, TOKEN_QUERY, TOKEN_USER,
    TokenUser,
};
use windows_sys::Win32::System::Pipes::WaitNamedPipeA;
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use crate::paths::Paths;
use crate::trust::Owner;

/// The agent's end of a connection.
pub(super) type ServerEnd = NamedPipeServer;
/// The client's end of a connection.
pub(super) type ClientEnd = NamedPipeClient;

/// A listening pipe. Windows removes it with its last handle.
#[derive(Debug)]
pub(super) struct Listener {
    name: String,
    access: Access,
    /// The instance that waits for the next client. It always exists: another program could take a
    /// name without an instance.
    next: NamedPipeServer,
}

impl Listener {
    /// Does nothing: a pipe exists as long as its server.
    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "must match Unix"
    )]
    pub(super) fn keep(&mut self, _: &Paths) -> io::Result<()> {
        Ok(())
    }

    /// Listens at this user's pipe. `first_pipe_instance`: fails if another program has already
    /// taken the name.
    pub(super) fn bind(_: &Paths) -> io::Result<Listener> {
        let sid = own_sid()?;
        let name = pipe_name(&sid);
        let access = Access::only(&sid)?;
        let next = access.create(&name, true)?;
        Ok(Listener { name, access, next })
    }

    /// Returns the next client. The access list has refused other users.
    pub(super) async fn accept(&mut self) -> io::Result<ServerEnd> {
        let connected = self.next.connect().await;
        // Create a new instance after an error, too: the old one would repeat the error for ever.
        let next = self.access.create(&self.name, false)?;
        let server = std::mem::replace(&mut self.next, next);
        connected.map(|()| server)
    }
}

/// Connects to the agent of this user. `NotFound`: no agent runs.
pub(super) async fn connect(_: &Paths) -> io::Result<ClientEnd> {
    let sid = own_sid()?;
    let name = pipe_name(&sid);
    loop {
        match ClientOptions::new().open(&name) {
            // Busy between one client and the next instance; the caller's time limit ends the wait.
            Err(error) if error.raw_os_error() == Some(ERROR_PIPE_BUSY as i32) => {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            Err(error) => return Err(error),
            Ok(pipe) => {
                // Another user's server at this name would learn our command, and could answer with
                // lies: any user may create a pipe of this name while no agent runs.
                check_owner(&pipe, &sid)?;
                return Ok(pipe);
            }
        }
    }
}

/// Reports whether an agent of this user runs, without connecting to it. The owner of the pipe is
/// checked only when a command is sent.
///
/// # Errors
/// When this user's identifier cannot be read.
pub fn is_listening() -> io::Result<bool> {
    let name = CString::new(pipe_name(&own_sid()?))?;
    // SAFETY: the name ends with a zero and outlives the call. 1 ms: no wait is needed.
    if unsafe { WaitNamedPipeA(name.as_ptr().cast(), 1) } != 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    // Any other error (all instances are busy) needs an existing pipe.
    Ok(error.kind() != io::ErrorKind::NotFound)
}

/// Returns `None`: the message does without the process id. Only an administrator can make another
/// user the owner of an object.
pub(super) fn server_pid(_: &ClientEnd) -> Option<u32> {
    None
}

fn check_owner(pipe: &ClientEnd, own: &str) -> io::Result<()> {
    let owner = Owner::of(pipe, SE_KERNEL_OBJECT)?;
    let owner = match owner.sid() {
        // SAFETY: the identifier is within `owner`, which still lives.
        Some(sid) => unsafe { sid_text(sid)? },
        None => "nobody".to_owned(),
    };
    if owner == own {
        return Ok(());
    }
    let why = format!("the other end of the pipe belongs to {owner}");
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

fn pipe_name(sid: &str) -> String {
    format!(r"\\.\pipe\goroam-{sid}")
}

/// A security descriptor that allows access to one user only.
#[derive(Debug)]
struct Access(PSECURITY_DESCRIPTOR);

// SAFETY: the descriptor is written once, on creation, only read after that, and freed once.
unsafe impl Send for Access {}
// SAFETY: as above; Windows only reads it.
unsafe impl Sync for Access {}

impl Access {
    /// Builds the descriptor. `P`: nothing is inherited. `GA` for the user; the list names no other
    /// user.
    fn only(sid: &str) -> io::Result<Access> {
        let sddl = CString::new(format!("O:{sid}D:P(A;;GA;;;{sid})"))?;
        let mut descriptor: PSECURITY_DESCRIPTOR = ptr::null_mut();
        // SAFETY: `sddl` ends with a zero, `descriptor` is a place for the returned pointer, and
        // the size may be left out.
        let done = unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorA(
                sddl.as_ptr().cast(),
                SDDL_REVISION_1,
                &mut descriptor,
                ptr::null_mut(),
            )
        };
        if done == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Access(descriptor))
    }

    /// Creates an instance of the pipe. Each one gets the access list: an instance without it would
    /// be open to all users.
    fn create(&self, name: &str, first: bool) -> io::Result<NamedPipeServer> {
        let mut attributes = SECURITY_ATTRIBUTES {
            nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
            lpSecurityDescriptor: self.0,
            bInheritHandle: 0,
        };
        // SAFETY: the attributes and the descriptor in them outlive the call.
        unsafe {
            ServerOptions::new()
                .first_pipe_instance(first)
                .reject_remote_clients(true)
                .create_with_security_attributes_raw(name, (&raw mut attributes).cast::<c_void>())
        }
    }
}

impl Drop for Access {
    fn drop(&mut self) {
        // SAFETY: allocated by ConvertStringSecurityDescriptor…, which requires LocalFree.
        unsafe { LocalFree(self.0.cast()) };
    }
}

/// Returns the security identifier of this process' user: `S-1-5-21-…`.
fn own_sid() -> io::Result<String> {
    let mut token: HANDLE = ptr::null_mut();
    // SAFETY: the process' pseudo handle is always valid, `token` is a place for a handle.
    if unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &mut token) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, and it has no other owner.
    let token = unsafe { OwnedHandle::from_raw_handle(token) };
    // Room for the longest identifier (68 bytes). The elements are u64, so that the TOKEN_USER is
    // aligned.
    let mut buffer = [0_u64; 16];
    let (to, size) = (buffer.as_mut_ptr().cast(), size_of_val(&buffer) as u32);
    // SAFETY: the buffer has `size` bytes; the last argument is a place for the needed size.
    if unsafe { GetTokenInformation(token.as_raw_handle(), TokenUser, to, size, &mut 0) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call above has put a TOKEN_USER at the start of the aligned buffer.
    let user = unsafe { &*buffer.as_ptr().cast::<TOKEN_USER>() };
    // SAFETY: the identifier is inside the buffer.
    unsafe { sid_text(user.User.Sid) }
}

/// # Safety
/// `sid` must point to a security identifier.
unsafe fn sid_text(sid: PSID) -> io::Result<String> {
    let mut text: *mut u8 = ptr::null_mut();
    // SAFETY: the caller guarantees `sid`; `text` is a place for a pointer.
    if unsafe { ConvertSidToStringSidA(sid, &mut text) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the text ends with a zero, and lives until it is freed below.
    let sid = unsafe { CStr::from_ptr(text.cast()) };
    let sid = sid.to_string_lossy().into_owned();
    // SAFETY: allocated by ConvertSidToStringSidA, which requires LocalFree.
    unsafe { LocalFree(text.cast()) };
    Ok(sid)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::{Listener, check_owner, connect, is_listening};
    use crate::paths::Paths;

    #[tokio::test]
    async fn clients_are_served_one_after_the_other_and_the_name_is_not_shared() {
        let paths = Paths {
            policy: "goroam.toml".into(),
            policy_named: false,
            machine_policy: "/nowhere/goroam.toml".into(),
            state: "state".into(),
            data: "state".into(),
            runtime: "run".into(),
        };
        let gone = connect(&paths).await.unwrap_err();
        assert_eq!(gone.kind(), std::io::ErrorKind::NotFound);
        assert!(!is_listening().unwrap());
        let mut listener = Listener::bind(&paths).unwrap();
        assert!(is_listening().unwrap());
        // Wine before 10 ignores FILE_FLAG_FIRST_PIPE_INSTANCE; docs/platforms.md says so.
        if std::env::var_os("WINEPREFIX").is_none() {
            assert!(Listener::bind(&paths).is_err(), "the name is taken");
        }
        for word in [b"one", b"two"] {
            let (client, server) = tokio::join!(connect(&paths), listener.accept());
            let (mut client, mut server) = (client.unwrap(), server.unwrap());
            client.write_all(word).await.unwrap();
            let mut heard = [0; 3];
            server.read_exact(&mut heard).await.unwrap();
            assert_eq!(&heard, word);
        }
        let (client, server) = tokio::join!(connect(&paths), listener.accept());
        let foreign = check_owner(&client.unwrap(), "S-1-5-18").unwrap_err();
        assert_eq!(foreign.kind(), std::io::ErrorKind::PermissionDenied);
        // While an instance exists, its name is busy and cannot be missing.
        drop((server, listener));
        assert!(connect(&paths).await.is_err());
    }
}
