//! The `hookdrill` binary: parse, call, exit code.

fn main() -> std::process::ExitCode {
    hookdrill::cli::main()
}
