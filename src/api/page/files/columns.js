// Columns of the list of torrents.

import { activity, activityText, remaining, trouble } from "./status.js";
import { bar, showPart } from "./progress.js";
import { bytes, day, duration, moment, percent, rate, ratio } from "./format.js";
import { element, icon, setIcon, setText } from "./dom.js";
import { trackerHost } from "./listing.js";

/** Order of states when a list is sorted by them: trouble first. */
const BY_STATE = [
    "failed", "absent", "downloading", "metadata", "checking", "moving", "seeding", "queued_check", "queued_download", "queued_seed",
    "paused",
];

function makeStatus(cell) {
    const svg = icon("help");
    const text = element("span", { class: "ellipsis" });
    cell.append(svg, text);
    return { svg, text };
}

function paintStatus({ svg, text }, torrent, cell) {
    const { icon: picture, tone } = activity(torrent);
    setIcon(svg, picture);
    // a move that failed, for one: it is seeded all the same
    const well = !torrent.message || tone === "warn" || tone === "bad";
    setText(text, torrent.message ? `${activityText(torrent)}: ${torrent.message}` : activityText(torrent));
    const className = `cell status ${well ? tone : "warn"}`;
    if (cell.className !== className) cell.className = className;
    const title = trouble(torrent);
    if (cell.title !== title) cell.title = title;
}

function makeProgress(cell) {
    const track = bar();
    const text = element("span", { class: "number" });
    cell.append(track, text);
    return { track, text };
}

function paintProgress({ track, text }, torrent) {
    showPart(track, torrent.progress);
    setText(text, percent(torrent.progress));
}

/** Connected, and in the swarm: "3 (41)". */
function ofSwarm(connected, swarm) {
    return swarm === null || swarm === undefined ? `${connected}` : `${connected} (${swarm})`;
}

const names = new Intl.ListFormat(undefined, { style: "narrow", type: "unit" });
const never = (number) => number ?? Number.MAX_SAFE_INTEGER;
const leechers = (torrent) => Math.max(0, torrent.peers - torrent.seeds);

/** All of them. `value` is what is compared; without it, names are. `first` sorts the largest first. */
export const COLUMNS = [
    { id: "queue", title: "#", width: 52, align: "end", text: (t) => `${t.queue + 1}`, value: (t) => t.queue, hint: "Place in the queue" },
    { id: "name", title: "Name", width: 330, class: "name", text: (t) => t.name },
    { id: "status", title: "Status", width: 144, make: makeStatus, paint: paintStatus, value: (t) => BY_STATE.indexOf(t.activity) },
    { id: "progress", title: "Progress", width: 124, class: "progress", make: makeProgress, paint: paintProgress, value: (t) => t.progress },
    { id: "size", title: "Size", width: 84, align: "end", text: (t) => bytes(t.size), value: (t) => t.size, first: true },
    { id: "up", title: "Up", width: 96, align: "end", class: "up", text: (t) => rate(t.upload_rate), value: (t) => t.upload_rate, first: true },
    { id: "down", title: "Down", width: 96, align: "end", class: "down", text: (t) => rate(t.download_rate), value: (t) => t.download_rate, first: true },
    { id: "peers", title: "Peers", width: 76, align: "end", text: (t) => ofSwarm(leechers(t), t.swarm_leechers), value: leechers, first: true, hint: "Connected peers without everything (in the swarm)" },
    { id: "seeds", title: "Seeds", width: 76, align: "end", text: (t) => ofSwarm(t.seeds, t.swarm_seeds), value: (t) => t.seeds, first: true, hint: "Connected seeds (in the swarm)" },
    { id: "ratio", title: "Ratio", width: 62, align: "end", text: (t) => ratio(t.ratio), value: (t) => t.ratio ?? -1, first: true },
    { id: "uploaded", title: "Uploaded", width: 88, align: "end", text: (t) => bytes(t.uploaded), value: (t) => t.uploaded, first: true },
    { id: "downloaded", title: "Downloaded", width: 104, align: "end", text: (t) => bytes(t.downloaded), value: (t) => t.downloaded, first: true },
    { id: "eta", title: "Left", width: 96, align: "end", text: (t) => timeLeft(t), value: (t) => never(remaining(t)), hint: "Time until it is complete" },
    { id: "category", title: "Category", width: 96, text: (t) => t.category, value: (t) => t.category },
    { id: "tags", title: "Tags", width: 128, text: (t) => names.format(t.tags), value: (t) => names.format(t.tags) },
    { id: "tracker", title: "Tracker", width: 170, text: (t) => trackerHost(t.tracker), value: (t) => trackerHost(t.tracker) },
    { id: "added", title: "Added", width: 108, text: (t) => day(t.added_at), value: (t) => t.added_at, first: true },
    { id: "completed", title: "Completed", width: 108, text: (t) => day(t.completed_at), value: (t) => t.completed_at ?? 0, first: true },
    { id: "active", title: "Last active", width: 160, text: (t) => moment(t.active_at), value: (t) => t.active_at ?? 0, first: true },
    { id: "folder", title: "Folder", width: 240, text: (t) => t.folder, value: (t) => t.folder },
    { id: "hash", title: "Hash", width: 320, class: "mono", text: (t) => t.hash, value: (t) => t.hash },
];

/** Those that are shown until something else is chosen. */
export const FIRST_COLUMNS = ["name", "status", "progress", "size", "up", "down", "peers", "seeds", "ratio", "uploaded", "category", "tracker", "added"];

function timeLeft(torrent) {
    const seconds = remaining(torrent);
    return seconds === null ? "" : duration(seconds);
}

/** A whole torrent in one cell, for narrow windows. */
export const CARD = { id: "card", title: "Torrent", width: 320, class: "card", make: makeCard, paint: paintCard };

function makeCard(cell) {
    const name = element("div", { class: "card-name ellipsis" });
    const status = element("div", { class: "cell status" });
    const progress = element("div", { class: "progress" });
    const numbers = element("div", { class: "card-numbers" });
    cell.append(name, progress, element("div", { class: "card-line" }, status, numbers));
    return { name, status, statusParts: makeStatus(status), progressParts: makeProgress(progress), numbers };
}

function paintCard({ name, status, statusParts, progressParts, numbers }, torrent) {
    setText(name, torrent.name);
    paintStatus(statusParts, torrent, status);
    paintProgress(progressParts, torrent);
    const moving = [torrent.download_rate > 0 ? `↓ ${rate(torrent.download_rate)}` : "", torrent.upload_rate > 0 ? `↑ ${rate(torrent.upload_rate)}` : ""];
    setText(numbers, moving.filter(Boolean).join("  ") || `${bytes(torrent.size)} · ratio ${ratio(torrent.ratio)}`);
}
