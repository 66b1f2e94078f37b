//! A private PostgreSQL for tests that need one: made in a temporary folder, on a loopback port, gone at the end.

use hookdrill::service::{
    Secret,
    store::{PostgresAt, Store},
};
use std::{
    net::TcpListener,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};

/// A running server. It ends with this value, or with the test process.
pub(crate) struct Server {
    port: u16,
    stop: Option<(mpsc::Sender<()>, std::thread::JoinHandle<()>)>,
    folder: tempfile::TempDir,
}

static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
static SCHEMAS: AtomicU64 = AtomicU64::new(1);

/// The server that the tests of this process share; `None`, said loudly, where there is no PostgreSQL.
pub(crate) fn server(test: &str) -> Option<Arc<Server>> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(server) = shared.upgrade() {
        return Some(server);
    }
    let server = Arc::new(private(test, &[])?);
    *shared = Arc::downgrade(&server);
    Some(server)
}

/// A server of its own, with these settings.
pub(crate) fn private(test: &str, settings: &[&str]) -> Option<Server> {
    let Some(programs) = programs() else {
        crate::skip(test, "there is no PostgreSQL here (Debian: apt-get install postgresql)");
        return None;
    };
    Some(Server::start(&programs, settings))
}

/// The folder of `postgres` and `initdb`: Debian's newest, or on the path.
#[expect(clippy::disallowed_methods, reason = "a test may ask where it runs")]
fn programs() -> Option<PathBuf> {
    let mut debian: Vec<PathBuf> =
        std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|e| e.path()).collect();
    debian.sort_by_key(|folder| folder.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = debian.iter().rev().map(|version| version.join("bin")).chain(std::env::split_paths(&path));
    all.into_iter().find(|bin| bin.join("postgres").exists() && bin.join("initdb").exists())
}

fn id(option: &str, user: &str) -> Option<u32> {
    let said = Command::new("id").args([option, user]).output().ok()?;
    String::from_utf8(said.stdout).ok()?.trim().parse().ok()
}

/// PostgreSQL does not run as root: whom it runs as instead.
fn someone_else() -> Option<(u32, u32)> {
    let of = |user| Some((id("-u", user)?, id("-g", user)?));
    let own = Command::new("id").arg("-u").output().expect("id runs");
    let root = String::from_utf8_lossy(&own.stdout).trim() == "0";
    root.then(|| of("postgres").or_else(|| of("nobody")).expect("a user who is not root"))
}

/// A program that is not root; the kernel ends it when its thread here is gone, where `setpriv` can ask for that: a test
/// run that is killed leaves no server behind.
fn as_someone(program: &Path, user: Option<(u32, u32)>) -> Command {
    let setpriv = Path::new("/usr/bin/setpriv");
    let mut command = if setpriv.exists() {
        let mut command = Command::new(setpriv);
        if let Some((user, group)) = user {
            command.args(["--reuid", &user.to_string(), "--regid", &group.to_string(), "--clear-groups"]);
        }
        command.args(["--pdeathsig", "INT", "--"]).arg(program);
        command
    } else {
        let mut command = Command::new(program);
        if let Some((user, group)) = user {
            command.uid(user).gid(group);
        }
        command
    };
    command.current_dir("/").env_clear().env("LC_ALL", "C.UTF-8").stdin(Stdio::null()).stdout(Stdio::null());
    command
}

impl Server {
    fn start(programs: &Path, settings: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("hookdrill-pg-").tempdir().expect("a folder");
        let user = someone_else();
        if let Some((user, group)) = user {
            std::os::unix::fs::chown(folder.path(), Some(user), Some(group)).expect("given away");
        }
        let data = folder.path().join("data");
        let made = as_someone(&programs.join("initdb"), user)
            .args(["--no-sync", "-E", "UTF8", "--locale=C.UTF-8", "-U", "hookdrill", "-A", "trust", "-D"])
            .arg(&data)
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        // Free a moment ago; whoever takes it in between makes the start fail loudly.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let mut command = as_someone(&programs.join("postgres"), user);
        command.arg("-D").arg(&data).args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
        command.args(["-c", "unix_socket_directories=", "-c", "max_connections=60", "-c", "shared_buffers=64MB"]);
        settings.iter().for_each(|setting| {
            command.args(["-c", setting]);
        });
        let log = std::fs::File::create(folder.path().join("log")).expect("a log");
        command.stderr(log);
        let stop = watch(command);
        let server = Self { port, stop: Some(stop), folder };
        server.wait();
        server
    }

    fn wait(&self) {
        for _ in 0..300 {
            if self.client().is_some() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!(
            "PostgreSQL does not get ready: {}",
            std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
        );
    }

    pub(crate) fn url(&self) -> String {
        format!("postgresql://hookdrill@127.0.0.1:{}/postgres", self.port)
    }

    /// A plain connection, beside the store.
    pub(crate) fn client(&self) -> Option<postgres::Client> {
        postgres::Client::connect(&self.url(), postgres::NoTls).ok()
    }

    /// A schema that no other test has.
    pub(crate) fn schema(&self) -> PostgresAt {
        let name = format!("test_{}", SCHEMAS.fetch_add(1, Ordering::Relaxed));
        PostgresAt::new(Secret::new(self.url())).in_schema(name)
    }

    pub(crate) fn store(&self) -> Store {
        Store::postgres(&self.schema()).expect("a store")
    }
}

/// Runs the server under a thread that ends it.
fn watch(mut command: Command) -> (mpsc::Sender<()>, std::thread::JoinHandle<()>) {
    let (stop, stopped) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let mut child = command.spawn().expect("postgres starts");
        // An error says that the sender is gone: the same.
        let _ = stopped.recv();
        // SIGINT: a fast, clean stop.
        let _ = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        let _ = child.wait();
    });
    (stop, thread)
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.stop.take() {
            drop(stop);
            let _ = thread.join();
        }
    }
}
