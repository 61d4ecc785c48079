// What can be done with torrents: one table for buttons, menu, keyboard and help.

import * as api from "./api.js";
import * as change from "./changes.js";
import { addDialog } from "./add.js";
import { categoryDialog, limitsDialog, moveDialog, removeDialog, renameDialog, tagsDialog } from "./torrent_dialogs.js";
import { complain, tell } from "./toasts.js";
import { counted } from "./format.js";
import { element } from "./dom.js";

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
    { id: "super", label: "Super-seeding", key: "Shift+U", ...toggle("super_seed", change.superSeed) },
    { id: "sequential", label: "Pieces in order", key: "Shift+O", ...toggle("sequential", change.sequential) },
    { id: "ends", label: "First and last pieces first", key: "Shift+E", ...toggle("first_last", change.firstLast) },
    { id: "follow", label: "Folder follows the category", key: "Shift+C", ...toggle("auto_managed", change.autoManaged) },
    null,
    { id: "top", label: "First in the queue", icon: "top", key: "Alt+Home", under: "queue", run: order(change.queue("top")) },
    { id: "up", label: "Up in the queue", icon: "up", key: "Alt+ArrowUp", under: "queue", run: order(change.queue("up")) },
    { id: "down", label: "Down in the queue", icon: "down", key: "Alt+ArrowDown", under: "queue", run: order(change.queue("down")) },
    { id: "bottom", label: "Last in the queue", icon: "bottom", key: "Alt+End", under: "queue", run: order(change.queue("bottom")) },
    { id: "copy-magnet", label: "Copy magnet link", icon: "copy", key: "y", under: "share", run: copy(magnet) },
    { id: "copy-name", label: "Copy name", icon: "copy", under: "share", run: copy((torrent) => torrent.name) },
    { id: "copy-hash", label: "Copy hash", icon: "copy", under: "share", run: copy((torrent) => torrent.hash) },
    { id: "save", label: "Save torrent file", icon: "file", under: "share", run: saveFiles },
    null,
    { id: "remove", label: "Remove…", icon: "remove", key: "Delete", danger: true, run: removeDialog },
];

/** Menus inside the menu, by what stands under them. */
const MENUS = {
    queue: { label: "Queue", icon: "queued" },
    share: { label: "Copy and save", icon: "copy" },
};

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
    const torrents = page.selected();
    const entry = (known) =>
        known && {
            label: known.label,
            icon: known.icon,
            key: known.key && keyName(known.key),
            checked: known.holds && torrents.length > 0 && torrents.every(known.holds),
            danger: known.danger,
            disabled: !isPossible(known, torrents.length),
            run: () => perform(page, known),
        };
    const shown = [];
    for (const known of ACTIONS) {
        if (known?.always) continue;
        if (!known?.under) shown.push(entry(known));
        else if (shown.at(-1)?.id !== known.under) shown.push({ id: known.under, ...MENUS[known.under], entries: [entry(known)] });
        else shown.at(-1).entries.push(entry(known));
    }
    return shown;
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

/** A choice that is on or off: on for all of them, unless it is on for all of them already. */
function toggle(name, what) {
    const holds = (torrent) => torrent[name];
    const run = async (page, torrents) => {
        const on = !torrents.every(holds);
        await order(what(on), on ? "Switched on" : "Switched off")(page, torrents);
    };
    return { holds, run };
}

/** Copies what `words` says of each. */
function copy(words) {
    return async (_page, torrents) => {
        try {
            const all = await Promise.all(torrents.map(words));
            await toClipboard(all.join("\n"));
            tell(torrents.length === 1 ? "Copied" : `Copied, of ${counted(torrents.length, "torrent")}`);
        } catch (error) {
            complain(error);
        }
    };
}

async function toClipboard(words) {
    try {
        await navigator.clipboard.writeText(words);
    } catch {
        throw new Error("The browser does not let this page copy: it does so on https and on localhost.");
    }
}

/** With its trackers, as they are now; not those of a private one, whose passkeys are for nobody else. */
async function magnet(torrent) {
    const trackers = torrent.private ? [] : await api.details(torrent.hash, "trackers");
    const parts = [`dn=${encodeURIComponent(torrent.name)}`, ...trackers.map(({ url }) => `tr=${encodeURIComponent(url)}`)];
    return `magnet:?xt=urn:btih:${torrent.hash}&${parts.join("&")}`;
}

/** Has the browser save the file of each. */
async function saveFiles(_page, torrents) {
    for (const torrent of torrents) {
        try {
            const link = element("a", { href: await api.fileOf(torrent.hash), download: `${torrent.name}.torrent` });
            document.body.append(link);
            link.click();
            link.remove();
            setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
        } catch (error) {
            complain(error);
        }
    }
}
