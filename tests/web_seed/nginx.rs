//! nginx with a folder of content, on a loopback port.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::content::Content;

/// Set by `tests/run`: what is missing fails the test instead of skipping it.
const REQUIRE: &str = "SOWER_REQUIRE_CLIENTS";
/// Debian has it where only root's search path looks.
const PROGRAMS: [&str; 2] = ["/usr/sbin/nginx", "nginx"];

/// A running nginx; ended when dropped.
pub(crate) struct Nginx {
    process: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Nginx {
    /// Serves the files of `content`; `None`, said loudly, where nginx is not installed.
    pub(crate) fn serving(content: &Content) -> Option<Nginx> {
        let installed = |program: &&&str| Command::new(program).arg("-v").stderr(Stdio::null()).status().is_ok();
        let Some(program) = PROGRAMS.iter().find(installed) else {
            assert!(std::env::var_os(REQUIRE).is_none(), "{REQUIRE} is set, and missing: nginx");
            // written past the test harness's capture, which would hide it from whoever runs `cargo test`
            let _ = writeln!(std::io::stderr(), "SKIPPED: a web seed test: missing: nginx");
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        content.write(&folder.path().join("files"));
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
        let address = free.expect("a free port");
        std::fs::write(folder.path().join("nginx.conf"), configuration(address)).expect("a file");
        let mut command = Command::new(program);
        command.arg("-p").arg(folder.path()).args(["-c", "nginx.conf", "-e", "error.log"]);
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("nginx runs");
        let mut nginx = Nginx { process, address, folder };
        nginx.wait();
        Some(nginx)
    }

    fn wait(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(self.address).is_err() {
            let ended = self.process.try_wait().expect("a child");
            assert!(ended.is_none() && Instant::now() < deadline, "nginx does not listen: {}", self.file("error.log"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    /// Where the files are.
    pub(crate) fn folder(&self) -> PathBuf {
        Path::join(self.folder.path(), "files")
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// What was asked for: path, range, status, and by whom.
    pub(crate) fn log(&self) -> Vec<String> {
        self.file("access.log").lines().map(str::to_owned).collect()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One process, and nothing outside its folder.
fn configuration(address: SocketAddr) -> String {
    format!(
        "daemon off;\nmaster_process off;\npid nginx.pid;\nevents {{}}\nhttp {{\n  \
         client_body_temp_path t1;\n  proxy_temp_path t2;\n  fastcgi_temp_path t3;\n  uwsgi_temp_path t4;\n  \
         scgi_temp_path t5;\n  log_format ranges '$request_uri $http_range $status $http_user_agent';\n  \
         access_log access.log ranges;\n  server {{\n    listen {address};\n    root files;\n  }}\n}}\n"
    )
}
