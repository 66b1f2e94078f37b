# The recipes that CI calls; `just` lists them.

default:
    @just --list

# The main job: run every shipped scenario against the embedded reference service
run *ARGS:
    cargo run --release --locked -- run {{ARGS}}

# All tests
test:
    cargo test --locked

# What must be clean before a commit
lint:
    cargo fmt --check
    cargo clippy --locked --all-targets -- -D warnings

# Benchmarks
bench:
    cargo bench --locked
