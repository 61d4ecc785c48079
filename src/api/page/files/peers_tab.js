// Peers of a torrent: who they are, what flows, and why nothing is sent to one.

import * as api from "./api.js";
import * as change from "./changes.js";
import { Grid } from "./grid.js";
import { ask, field } from "./dialog.js";
import { button, element, narrow, setText } from "./dom.js";
import { bytes, counted, duration, percent, rate } from "./format.js";

const ROW = 28;
const CARD_ROW = 62;

/** Letters that tell how things stand with a peer, as other clients show them. */
const FLAGS = [
    ["U", "we send to it", (peer) => peer.interested && !peer.choked],
    ["u", "it wants something, and waits for a place", (peer) => peer.interested && peer.choked],
    ["D", "it sends to us", (peer) => peer.wanted && !peer.chokes_us],
    ["d", "we want something, and it lets us wait", (peer) => peer.wanted && peer.chokes_us],
    ["I", "it opened the connection", (peer) => !peer.dialled],
    ["H", "it fetches a file by HTTP", (peer) => peer.http],
];

/** Why it is not being sent to, by the API's word: in a few words, and in a sentence. */
const REASONS = {
    served: ["Being sent to", "It asks, and gets what it asks for."],
    "not interested": ["Wants nothing of us", "It has all that we have, or does not want it."],
    choked: ["Waits for a slot", "Every slot is taken by others. Slots are given anew every 10 s."],
    "nothing asked": ["Asks for nothing now", "It has a slot, and has not asked for anything more yet."],
    "rate limited": ["Held by a rate limit", "A limit of all torrents, of this one, or of each peer."],
    "window full": ["Its connection is full", "It has to take what was sent before: it, or the way to it, is slower than this side."],
    disk: ["Waits for the disk", "What it asks for is being read."],
    "being checked": ["Waits for a check", "The data was taken on trust, and is checked before it is served for the first time."],
};
/** Of these, what hinders for a moment while data flows. */
const HELD = ["rate limited", "window full", "disk", "being checked"];

const COLUMNS = [
    { id: "address", title: "Address", width: 190, class: "mono", text: (peer) => peer.address, value: (peer) => peer.address },
    { id: "client", title: "Client", width: 150, text: (peer) => peer.client ?? "unknown", value: (peer) => peer.client ?? "" },
    { id: "flags", title: "Flags", width: 60, paint: paintFlags, value: flags },
    {
        id: "progress",
        title: "Has",
        width: 76,
        align: "end",
        text: (peer) => percent(peer.progress),
        value: (peer) => peer.progress,
        first: true,
    },
    {
        id: "up",
        title: "Up",
        width: 104,
        align: "end",
        class: "up",
        text: (peer) => rate(peer.sent_rate),
        value: (peer) => peer.sent_rate,
        first: true,
    },
    {
        id: "down",
        title: "Down",
        width: 104,
        align: "end",
        class: "down",
        text: (peer) => rate(peer.received_rate),
        value: (peer) => peer.received_rate,
        first: true,
    },
    {
        id: "sent",
        title: "Sent",
        width: 92,
        align: "end",
        text: (peer) => bytes(peer.sent),
        value: (peer) => peer.sent,
        first: true,
    },
    {
        id: "received",
        title: "Received",
        width: 92,
        align: "end",
        text: (peer) => bytes(peer.received),
        value: (peer) => peer.received,
        first: true,
    },
    { id: "why", title: "State", width: 264, paint: paintWhy, value: why, hint: "What is sent, or why nothing is" },
    {
        id: "requests",
        title: "Asks for",
        width: 90,
        align: "end",
        text: (peer) => (peer.requests > 0 ? counted(peer.requests, "block") : ""),
        value: (peer) => peer.requests,
        first: true,
        hint: "Requests of it that wait",
    },
    {
        id: "since",
        title: "Connected",
        width: 104,
        align: "end",
        text: (peer) => duration(peer.connected_seconds),
        value: (peer) => peer.connected_seconds,
        first: true,
    },
];

/** A whole peer in one cell, for narrow windows. */
const CARD = { id: "card", width: 320, class: "card", make: makeCard, paint: paintCard };

function makeCard(cell) {
    const parts = {
        address: element("span", { class: "mono" }),
        rates: element("span", { class: "up" }),
        client: element("span", { class: "quiet ellipsis" }),
        why: element("span", { class: "quiet" }),
    };
    const line = (...spans) => element("div", { class: "card-line" }, ...spans);
    cell.append(line(parts.address, parts.rates), line(parts.client, parts.why));
    return parts;
}

function paintCard(parts, peer) {
    setText(parts.address, peer.address);
    const rates = [peer.received_rate > 0 ? `↓ ${rate(peer.received_rate)}` : "", peer.sent_rate > 0 ? `↑ ${rate(peer.sent_rate)}` : ""];
    setText(parts.rates, rates.filter(Boolean).join("  "));
    setText(parts.client, `${percent(peer.progress)} · ${peer.client ?? "unknown"}`);
    setText(parts.why, why(peer));
}

function flags(peer) {
    return FLAGS.filter(([, , holds]) => holds(peer))
        .map(([letter]) => letter)
        .join(" ");
}

function paintFlags(_, peer, cell) {
    const letters = flags(peer);
    if (cell.textContent === letters) return;
    cell.textContent = letters;
    cell.title = FLAGS.filter(([, , holds]) => holds(peer))
        .map(([letter, words]) => `${letter}: ${words}`)
        .join("\n");
}

/** What flows; where nothing goes out, why. Rates are those of a round of ten seconds: what holds it now is told beside them. */
function reason(peer) {
    const [words, sentence] = REASONS[peer.held_by] ?? [peer.held_by, ""];
    if (peer.sent_rate > 0 && peer.held_by === "nothing asked") return REASONS.served;
    if (peer.sent_rate > 0 && HELD.includes(peer.held_by)) return [`${REASONS.served[0]}, ${lower(words)}`, sentence];
    if (peer.held_by === "not interested" && peer.received_rate > 0) return ["Sends to us", "It wants nothing of us."];
    if (peer.held_by === "not interested" && peer.complete) return ["Has everything", "It wants nothing of us."];
    return [words, sentence];
}

function lower(words) {
    return words.charAt(0).toLowerCase() + words.slice(1);
}

function why(peer) {
    return reason(peer)[0];
}

function paintWhy(_, peer, cell) {
    const [words, sentence] = reason(peer);
    setText(cell, words);
    if (cell.title !== sentence) cell.title = sentence;
}

export class PeersTab {
    #page;
    #torrent = null;
    #sort = { column: COLUMNS[4], descending: true };

    constructor(page) {
        this.#page = page;
        const add = button({ label: "Add…", icon: "add", kind: "secondary small", onclick: () => this.#add() });
        this.words = element("span", { class: "quiet" });
        const bar = element("div", { class: "panel-bar", role: "toolbar", "aria-label": "Peers" }, add, this.words);
        this.empty = element("p", { class: "empty-line" }, "No peer is connected.");
        const host = element("div", { class: "panel-grid" });
        this.node = element("div", { class: "stack" }, bar, host, this.empty);
        this.grid = new Grid(host, {
            label: "Peers",
            key: (peer) => peer.address,
            sort: () => this.#sort,
            onsort: (column) => {
                const descending = this.#sort.column === column ? !this.#sort.descending : Boolean(column.first);
                this.#sort = { column, descending };
                this.grid.showSort();
                this.#order(this.grid.items);
            },
        });
        const set = () => (narrow.matches ? this.grid.setColumns([CARD], CARD_ROW, { header: false }) : this.grid.setColumns(COLUMNS, ROW));
        narrow.addEventListener("change", set);
        set();
    }

    begin() {
        setText(this.words, "");
        this.grid.setItems([]);
        this.empty.hidden = true;
    }

    ask(torrent) {
        return api.details(torrent.hash, "peers");
    }

    take(answer) {
        const peers = answer.map((peer) => ({ ...peer, progress: peer.progress_per_mille / 1000 }));
        this.#order(peers);
        this.empty.hidden = peers.length > 0;
        setText(this.words, summary(peers));
    }

    #add() {
        const area = element("textarea", {
            name: "peers",
            rows: "3",
            required: true,
            spellcheck: "false",
            placeholder: "192.0.2.7:6881",
        });
        void ask({
            title: "Add peers",
            body: [field("Addresses", area, "One a line, with the port: 192.0.2.7:6881 or [2001:db8::7]:6881.")],
            submit: "Add",
            onsubmit: async () => {
                await this.#page.change([this.#torrent], change.addPeers(area.value.split(/\s+/).filter(Boolean)));
                await this.#page.details.refresh();
            },
        });
    }

    #order(peers) {
        const sign = this.#sort.descending ? -1 : 1;
        const { value } = this.#sort.column;
        const compare = (a, b) => (value(a) < value(b) ? -sign : value(a) > value(b) ? sign : a.address < b.address ? -1 : 1);
        this.grid.setItems([...peers].sort(compare));
    }

    show(torrent) {
        this.#torrent = torrent;
    }
}

/** How many there are of each state, the most first. */
function summary(peers) {
    const counts = new Map();
    for (const peer of peers) counts.set(why(peer), (counts.get(why(peer)) ?? 0) + 1);
    const sorted = [...counts].sort(([, a], [, b]) => b - a);
    return sorted.map(([words, count]) => `${count} ${lower(words)}`).join(" · ");
}
