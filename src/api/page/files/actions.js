// What can be done with torrents: one table for buttons, menu, keyboard and help.

import * as change from "./changes.js";
import { addDialog } from "./add.js";
import { categoryDialog, limitsDialog, moveDialog, removeDialog, renameDialog, tagsDialog } from "./torrent_dialogs.js";
import { complain, tell } from "./toasts.js";
import { counted } from "./format.js";

/** Keys are those of the keyboard event, with "Alt+" and "Shift+" before them. */
const ACTIONS = [
    { id: "add", label: "Add torrents", icon: "add", key: "a", always: true, run: (page) => addDialog(page) },
    { id: "start", label: "Start", icon: "start", key: "s", run: order(change.start, "Started") },
    { id: "stop", label: "Stop", icon: "stop", key: "p", run: order(change.stop, "Stopped") },
    { id: "force", label: "Start past the queue", icon: "force", key: "Shift+S", run: order(change.force, "Started") },
    null,
    { id: "verify", label: "Verify data", icon: "verify", key: "v", run: order(change.verify, "Verifying") },
    { id: "reannounce", label: "Announce now", icon: "announce", key: "r", run: order(change.reannounce, "Announced") },
    null,
    { id: "move", label: "Move data…", icon: "move", key: "m", run: moveDialog },
    { id: "rename", label: "Rename…", icon: "rename", key: "F2", one: true, run: renameDialog },
    { id: "category", label: "Category…", icon: "category", key: "c", run: categoryDialog },
    { id: "tags", label: "Tags…", icon: "tag", key: "t", run: tagsDialog },
    { id: "limits", label: "Limits…", icon: "limits", key: "l", run: limitsDialog },
    null,
    { id: "top", label: "First in the queue", icon: "top", key: "Alt+Home", run: order(change.queue("top")) },
    { id: "up", label: "Up in the queue", icon: "up", key: "Alt+ArrowUp", run: order(change.queue("up")) },
    { id: "down", label: "Down in the queue", icon: "down", key: "Alt+ArrowDown", run: order(change.queue("down")) },
    { id: "bottom", label: "Last in the queue", icon: "bottom", key: "Alt+End", run: order(change.queue("bottom")) },
    null,
    { id: "copy-hash", label: "Copy hash", icon: "copy", run: copyHashes },
    { id: "remove", label: "Remove…", icon: "remove", key: "Delete", danger: true, run: removeDialog },
];

/** Those that stand in the bar, the rest being in the menu. */
const IN_BAR = ["start", "stop", "remove"];

/** By name. */
export function action(id) {
    return ACTIONS.find((known) => known?.id === id);
}

export const barActions = IN_BAR.map(action);

/** Whether `known` can be done with this many torrents. */
export function isPossible(known, selected) {
    return known.always || (known.one ? selected === 1 : selected > 0);
}

/** Does it, with the selected torrents. */
export function perform(page, known) {
    const torrents = page.selected();
    if (isPossible(known, torrents.length)) void known.run(page, torrents);
}

/** Entries of the menu for the selected torrents. */
export function menuEntries(page) {
    const count = page.selected().length;
    return ACTIONS.filter((known) => !known?.always).map(
        (known) =>
            known && {
                label: known.label,
                icon: known.icon,
                key: known.key && keyName(known.key),
                danger: known.danger,
                disabled: !isPossible(known, count),
                run: () => perform(page, known),
            },
    );
}

/** The action of a key; undefined for other keys. */
export function actionOf(event) {
    if (event.ctrlKey || event.metaKey) return undefined;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const shift = event.shiftKey ? "Shift+" : "";
    const name = `${event.altKey ? "Alt+" : ""}${shift}${shift && key.length === 1 ? key.toUpperCase() : key}`;
    return ACTIONS.find((known) => known?.key === name);
}

/** Keys and what they do, for the help. */
export function keys() {
    return ACTIONS.filter((known) => known?.key).map((known) => [keyName(known.key), known.label.replace("…", "")]);
}

/** "Alt+ArrowUp" -> "Alt ↑". */
function keyName(key) {
    const names = { ArrowUp: "↑", ArrowDown: "↓", Delete: "Del" };
    return key
        .split("+")
        .map((part) => names[part] ?? (part.length === 1 ? part.toUpperCase() : part))
        .join(" ");
}

function order(what, done) {
    return async (page, torrents) => {
        try {
            await page.change(torrents, what);
            if (done) tell(`${done}: ${torrents.length === 1 ? torrents[0].name : counted(torrents.length, "torrent")}`);
        } catch (error) {
            complain(error);
        }
    };
}

async function copyHashes(_page, torrents) {
    try {
        await navigator.clipboard.writeText(torrents.map((torrent) => torrent.hash).join("\n"));
        tell("Copied");
    } catch {
        complain(new Error("The browser does not let this page copy: it does so on https and on localhost."));
    }
}
