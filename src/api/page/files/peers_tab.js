// Peers of a torrent: who they are, what flows, and why nothing is sent to one.

import * as api from "./api.js";
import { Grid } from "./grid.js";
import { element } from "./dom.js";
import { bytes, percent, rate } from "./format.js";

const ROW = 28;

/** Letters that tell how things stand with a peer, as other clients show them. */
const FLAGS = [
    ["U", "we send to it", (peer) => peer.interested && !peer.choked],
    ["u", "it wants something, and waits for a place", (peer) => peer.interested && peer.choked],
    ["D", "it sends to us", (peer) => peer.wanted && !peer.chokes_us],
    ["d", "we want something, and it lets us wait", (peer) => peer.wanted && peer.chokes_us],
    ["I", "it opened the connection", (peer) => !peer.dialled],
    ["E", "encrypted", (peer) => peer.encrypted],
];

/** Why nothing is sent, by the API's word. */
const REASONS = {
    choked: "Waits for a place",
    choke: "Waits for a place",
    rate: "Rate limit",
    rate_limited: "Rate limit",
    limited: "Rate limit",
    window: "Its line is full",
    socket: "Its line is full",
    disk: "Waits for the disk",
    nothing: "Asks for nothing now",
    idle: "Asks for nothing now",
    not_interested: "Wants nothing of us",
};

const COLUMNS = [
    { id: "address", title: "Address", width: 200, class: "mono", text: (peer) => peer.address, value: (peer) => peer.address },
    { id: "client", title: "Client", width: 190, text: (peer) => peer.client ?? "unknown", value: (peer) => peer.client ?? "" },
    { id: "flags", title: "Flags", width: 70, paint: paintFlags, value: flags },
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
    { id: "why", title: "State", width: 220, text: why, value: why },
];

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

/** What holds the peer up; what flows, if something does. */
export function why(peer) {
    if (peer.sent_rate > 0) return peer.received_rate > 0 ? "Sending and receiving" : "Being sent to";
    if (peer.received_rate > 0) return "Sends to us";
    if (peer.waiting) return REASONS[peer.waiting] ?? peer.waiting;
    if (peer.progress >= 1) return "Has everything";
    if (!peer.interested) return REASONS.not_interested;
    return peer.choked ? REASONS.choked : REASONS.nothing;
}

export class PeersTab {
    #sort = { column: COLUMNS[4], descending: true };

    constructor() {
        this.empty = element("p", { class: "empty-line" }, "No peer is connected.");
        const host = element("div", { class: "panel-grid" });
        this.node = element("div", { class: "stack" }, host, this.empty);
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
        this.grid.setColumns(COLUMNS, ROW);
    }

    begin() {
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
    }

    #order(peers) {
        const sign = this.#sort.descending ? -1 : 1;
        const { value } = this.#sort.column;
        const compare = (a, b) => (value(a) < value(b) ? -sign : value(a) > value(b) ? sign : a.address < b.address ? -1 : 1);
        this.grid.setItems([...peers].sort(compare));
    }

    show() {}
}
