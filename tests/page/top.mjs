// `sower top` in a terminal of 80 by 24: the same torrents, the same changes.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { ask, folder, program, until } from "./browser.mjs";
import { addStopped } from "./torrents.mjs";

const tmux = (...options) =>
    execFileSync("tmux", ["-S", join(folder, "tmux"), ...options], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
const screen = () => tmux("capture-pane", "-p");
const sees = (words) => until(() => screen().includes(words) || `\n${screen()}`, `the screen shows ${words}`);
const left = async () => (await ask("GET", "torrents?fields=name")).torrents.map(({ name }) => name).sort();

const CLEAR = "\u001b[2J";
await addStopped([
    ["small", 2 ** 20],
    ["large", 2 ** 30],
    ["middle", 2 ** 25],
    [`evil ${CLEAR}`, 2 ** 21],
]);
tmux("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", `'${program}' top --state '${join(folder, "state")}'`);
process.on("exit", () => {
    try {
        tmux("kill-server");
    } catch {
        // it ended with the program in it
    }
});

await sees("4 torrents");
assert.match(screen(), /evil[^]*large[^]*middle[^]*small/, "by name");
assert.ok(!screen().includes(CLEAR), "a name does nothing to the terminal");

tmux("send-keys", "/", "mid");
await sees("1 of 4 torrents");
tmux("send-keys", "Enter", "Enter");
await sees("Overview  Peers  Trackers  Files");
await sees("folder    ");
tmux("send-keys", "Tab", "Tab", "Tab");
await sees("32 MiB");
tmux("send-keys", "d");
await sees("Remove middle?");
tmux("send-keys", "n");
await sees("q:quit");
assert.equal((await left()).length, 4, "anything but a yes removes nothing");
tmux("send-keys", "d", "y");
await until(async () => !(await left()).includes("middle") || "it is there", "it is removed");

tmux("resize-window", "-x", "140", "-y", "40");
await sees("0 of 3 torrents");
tmux("send-keys", "Escape");
await new Promise((resolve) => setTimeout(resolve, 500)); // or the next key would be taken for Alt and that key
tmux("send-keys", "Escape");
await sees("   3 torrents");
await sees("Ratio");
tmux("send-keys", "q");
await until(() => {
    try {
        return screen();
    } catch {
        return true;
    }
}, "it ends");
