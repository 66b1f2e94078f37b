//! The `hookdrill` binary: parse, call, exit code.

/// A webhook is read into many small pieces; the system's allocator spends a quarter of the time on them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    hookdrill::cli::main()
}
