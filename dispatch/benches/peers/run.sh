#!/bin/sh
# Peers from PyPI beside `dispatch solve`: 12 named instances, 3 seeds, equal seconds on one thread.
# usage: dispatch/benches/peers/run.sh [--seconds S] [--seeds N] [--solvers A,B] [instances...]
# Results go to target/peers.csv; what is there is not run again.
set -eu
cd "$(dirname "$0")/../../.."
target=${CARGO_TARGET_DIR:-target}
venv=$target/peers-venv
if [ ! -x "$venv/bin/python" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet pyvrp==0.14.1 ortools pyvroom
fi
cargo build --release -p dispatch --bin dispatch
data=$target/vrptw
[ -d "$data" ] || { mkdir -p "$data" && tar xzf ../shared/data/vrptw/vrptw-dev.tar.gz -C "$data"; }
exec "$venv/bin/python" dispatch/benches/peers/run.py \
    --binary "$target/release/dispatch" --data "$data" --results "$target/peers.csv" "$@"
