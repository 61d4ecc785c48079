// What a torrent is, and its numbers.

import * as api from "./api.js";
import { activity, activityText, remaining, trouble } from "./status.js";
import { bar, showPart } from "./progress.js";
import { element, icon, setIcon, setText } from "./dom.js";
import { ENOUGH } from "./settings.js";
import { bytes, counted, duration, limit, moment, percent, ratio, rateOrZero, whole } from "./format.js";

/** Columns of facts: title, and for each fact its label and its words. */
const FACTS = [
    [
        "Transfer",
        [
            ["Uploaded", (t) => both(t.uploaded, t.session_uploaded)],
            ["Downloaded", (t) => both(t.downloaded, t.session_downloaded)],
            ["Ratio", (t) => ratio(t.ratio)],
            ["Rate up", (t) => `${rateOrZero(t.upload_rate)}, limit ${limit(t.upload_limit)}`],
            ["Rate down", (t) => `${rateOrZero(t.download_rate)}, limit ${limit(t.download_limit)}`],
            ["Wasted", (t) => bytes(t.wasted)],
        ],
    ],
    [
        "Swarm",
        [
            ["Peers", (t) => `${whole(t.peers)}, of them ${counted(t.seeds, "seed")}`],
            ["Sent to", (t) => whole(t.unchoked)],
            ["In the swarm", inTheSwarm],
            ["Next announce", (t) => moment(t.announce_at)],
            [
                "Availability",
                (t) => (t.availability_per_mille === undefined ? "–" : (t.availability_per_mille / 1000).toFixed(2)),
            ],
            ["Left", (t) => duration(remaining(t))],
            ["Last active", (t) => moment(t.active_at)],
        ],
    ],
    [
        "Times",
        [
            ["Added", (t) => moment(t.added_at)],
            ["Completed", (t) => moment(t.completed_at)],
            ["Seeding for", (t) => duration(t.seeding_seconds)],
            ["Running for", (t) => duration(t.running_seconds)],
            ["Created", (t) => moment(t.created_at)],
            ["Created by", (t) => t.created_by || "–"],
        ],
    ],
    [
        "Content",
        [
            ["Size", (t) => `${bytes(t.size)} in ${counted(t.files ?? 0, "file")}`],
            ["Pieces", (t) => (t.pieces ? `${whole(t.pieces)} of ${bytes(t.piece_length)}` : "–")],
            ["Folder", (t) => t.folder],
            ["Category", (t) => (t.category || "–") + (t.auto_managed ? ", its folder is followed" : "")],
            ["Tags", (t) => t.tags.join(", ") || "–"],
            ["Private", (t) => (t.private ? "yes" : "no")],
        ],
    ],
    [
        null,
        [
            ["Seeded until", enough],
            ["Options", options],
            ["Hash", (t) => t.hash],
            ["Comment", (t) => t.comment || "–"],
        ],
    ],
];

function inTheSwarm({ swarm_seeds: seeds, swarm_leechers: others }) {
    if ((seeds ?? null) === null && (others ?? null) === null) return "–";
    return `${counted(seeds ?? 0, "seed")}, ${counted(others ?? 0, "other")}`;
}

/** How it is fetched and seeded, where that is not as usual. */
function options(torrent) {
    const names = [
        ["forced", "past the queue"],
        ["super_seed", "super-seeding"],
        ["sequential", "pieces in order"],
        ["first_last", "first and last pieces first"],
    ];
    return names.filter(([name]) => torrent[name]).map(([, words]) => words).join(", ") || "–";
}

/** When it has been seeded enough, where that is not as in the settings, and what follows. */
function enough(torrent) {
    const limits = [
        ["ratio", torrent.ratio_limit, ""],
        ["seeding", torrent.seeding_limit, " min"],
        ["idle", torrent.idle_limit, " min"],
    ]
        .filter(([, limit]) => limit !== undefined && limit !== "global")
        .map(([name, limit, unit]) => `${name} ${limit}${limit === "unlimited" ? "" : unit}`);
    const action = ENOUGH.find(([name]) => name === torrent.limit_action)?.[1];
    const words = limits.join(", ") || "as in the settings";
    return action ? `${words}; ${action.charAt(0).toLowerCase()}${action.slice(1)}` : words;
}

function both(all, session) {
    return session === undefined ? bytes(all) : `${bytes(all)} (${bytes(session)} this run)`;
}

export class OverviewTab {
    #more = {};
    #facts = [];

    constructor() {
        this.svg = icon("help");
        this.words = element("strong");
        this.message = element("span", { class: "message" });
        this.track = bar();
        this.percent = element("span", { class: "number" });
        this.state = element("div", { class: "state" }, this.svg, this.words, this.track, this.percent);
        this.node = element(
            "div",
            { class: "overview" },
            this.state,
            this.message,
            element("div", { class: "facts" }, ...FACTS.map((column) => this.#column(column))),
        );
    }

    #column([title, facts]) {
        const list = element("dl");
        for (const [label, words] of facts) {
            const value = element("dd");
            list.append(element("dt", {}, label), value);
            this.#facts.push({ value, words });
        }
        return element("section", { class: title ? null : "broad" }, title ? element("h3", {}, title) : null, list);
    }

    begin() {
        this.#more = {};
    }

    ask(torrent) {
        return api.details(torrent.hash);
    }

    take(answer) {
        this.#more = answer;
    }

    show(torrent) {
        const { icon: picture, tone } = activity(torrent);
        setIcon(this.svg, picture);
        this.state.className = `state status ${tone}`;
        setText(this.words, activityText(torrent));
        setText(this.percent, percent(torrent.progress));
        showPart(this.track, torrent.progress);
        const words = trouble(torrent);
        setText(this.message, words);
        this.message.hidden = words === "";
        const all = { ...this.#more, ...torrent };
        for (const { value, words } of this.#facts) {
            const text = words(all) ?? "–";
            setText(value, text);
            value.title = text;
        }
    }
}
