"""Small peers that stand for what no test machine has, each an executable on PATH.

Their state is a file beside them, which outlives them as the real server's does.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

# Stands for mongosh and the server behind it, by MongoDB's documentation: the lock is counted,
# outlives the connection, and an unlock without a lock is an error. It runs the very program that
# the driver gives to mongosh.
MONGOSH = """#!%(node)s
const files = require('fs'), path = require('path');
const state = path.join(__dirname, 'state.json');
const read = () => JSON.parse(files.readFileSync(state));
const write = (changes) => {  // in one piece, for another client that reads meanwhile
  const text = JSON.stringify({...read(), ...changes}).padEnd(500);
  const file = files.openSync(state, 'r+');
  files.writeSync(file, text, 0);
  files.closeSync(file);
};
function refuse(message) { console.error('MongoServerError: ' + message); process.exit(1); }
globalThis.require = require;
globalThis.connect = (uri) => {
  if (read().down) refuse('connect ECONNREFUSED 127.0.0.1:27017');
  if (uri.includes('wrong')) refuse('Authentication failed.');
  while (read().hangs) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  return {
    hello: () => ({isWritablePrimary: true, setName: 'rs0'}),
    serverStatus: () => ({version: '7.0.14', storageEngine: {name: 'wiredTiger'}}),
    fsyncLock: () => {
      if (read().refuses) throw new Error('not authorized on admin to execute command fsync');
      write({locks: read().locks + 1});
      return {lockCount: BigInt(read().locks)};
    },
    fsyncUnlock: () => {
      if (read().locks === 0) throw new Error('fsyncUnlock called when not locked');
      write({locks: read().locks - 1});
      return {lockCount: BigInt(read().locks)};
    },
  };
};
globalThis.eval(process.argv[process.argv.indexOf('--eval') + 1]);
"""

# Stands for systemctl: one unit, which start and stop, freeze and thaw change at once.
SYSTEMCTL = """#!/bin/sh
state=$(dirname "$0")/state.json
read_state() { sed -n 's/.*"unit": "\\([a-z]*\\)".*/\\1/p' "$state"; }
write_state() { sed -i "s/\\"unit\\": \\"[a-z]*\\"/\\"unit\\": \\"$1\\"/" "$state"; }
if grep -q '"down": true' "$state"; then
    echo "Failed to connect to bus: No such file or directory" >&2
    exit 1
fi
while grep -q '"hangs": true' "$state"; do sleep 0.05; done
case $1 in
show) case $(read_state) in frozen) echo active ;; *) read_state ;; esac ;;
stop | freeze)
    if grep -q '"refuses": true' "$state"; then
        echo "Job for $2 canceled." >&2
        exit 1
    fi
    if [ "$1" = stop ]; then write_state inactive; else write_state frozen; fi ;;
start | thaw) write_state active ;;
esac
"""

# Stands for an administrator's hook: it locks and unlocks, by a file.
HOOK = """#!/bin/sh
state=%(state)s
while grep -q '"hangs": true' "$state"; do sleep 0.05; done
echo "$(basename "$0") $*" >>"$state.calls"
if [ "$1" = freeze ] && grep -q '"refuses": true' "$state"; then
    echo "disk quota of the dump folder exceeded" >&2
    exit 3
fi
case $1 in
freeze) sed -i 's/"unit": "[a-z]*"/"unit": "frozen"/' "$state" ;;
thaw | freezeFail) sed -i 's/"unit": "[a-z]*"/"unit": "active"/' "$state" ;;
esac
"""


# Stands for the control program of a shop, for the driver of the docs.
SHOPCTL = """#!/bin/sh
state=%(state)s
if grep -q '"down": true' "$state"; then
    echo "no shop listens at $2" >&2
    exit 1
fi
while grep -q '"hangs": true' "$state"; do sleep 0.05; done
case $3 in
hold)
    if grep -q '"refuses": true' "$state"; then
        echo "somebody is at the till" >&2
        exit 3
    fi
    sed -i 's/"unit": "[a-z]*"/"unit": "held"/' "$state" ;;
resume) sed -i 's/"unit": "[a-z]*"/"unit": "active"/' "$state" ;;
esac
echo 4711
"""


class Peer:
    """One executable and its state."""

    def __init__(self, folder: Path, name: str, text: str) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.state_file = folder / "state.json"
        self.set(unit="active", locks=0, hangs=False, down=False, refuses=False)
        folder.chmod(0o755)
        self.path = folder / name
        variables = {"node": shutil.which("node"), "state": self.state_file}
        self.path.write_text(text % variables if "%(" in text else text)
        self.path.chmod(0o755)

    @property
    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads(self.state_file.read_text())
        return state

    def set(self, **changes: object) -> None:
        state = self.state if self.state_file.exists() else {}
        partial = self.state_file.with_suffix(".new")
        partial.write_text(json.dumps(state | changes))
        partial.chmod(0o666)  # its program is another user's
        partial.replace(self.state_file)

    @property
    def runs(self) -> bool:
        return bool(self.state["unit"] == "active" and self.state["locks"] == 0)

    def calls(self) -> list[str]:
        file = Path(f"{self.state_file}.calls")
        return file.read_text().splitlines() if file.exists() else []


def path_with(folder: Path) -> str:
    return f"{folder}{os.pathsep}/usr/sbin:/usr/bin:/sbin:/bin"
