// Settings that are common. Everything else is in the daemon's configuration file.

import { ask, changed, choose, field, numberInput, numberOf, rateField, rateInput, rateOf, text, tick } from "./dialog.js";
import { element } from "./dom.js";
import { complain, tell } from "./toasts.js";

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const EVERY_DAY = 127;
const GIB = 2 ** 30;

/** What is done with a torrent that was seeded enough. */
export const ENOUGH = [
    ["pause", "Stop it"],
    ["remove", "Remove it, keep its data"],
    ["remove_with_data", "Remove it with its data"],
    ["super_seed", "Super-seed it"],
];

/** Asks for the common settings. */
export async function settingsDialog(page) {
    try {
        await page.store.refreshSettings();
    } catch (error) {
        return complain(error);
    }
    const { settings } = page.store;
    return ask({
        title: "Settings",
        wide: true,
        body: [rates(settings), alternative(settings), queue(settings), enough(settings), folders(settings), trackers(settings), budget(settings), rest()],
        submit: "Save",
        onsubmit: async (form) => {
            await page.store.change(read(form, settings));
            tell("Saved");
        },
    });
}

function group(title, ...children) {
    return element("fieldset", {}, element("legend", {}, title), ...children);
}

function pair(...children) {
    return element("div", { class: "pair" }, ...children);
}

/** Asks for the rates alone, which are changed most. */
export async function ratesDialog(page) {
    try {
        await page.store.refreshSettings();
    } catch (error) {
        return complain(error);
    }
    const { settings } = page.store;
    const limited = (name, label) => rateField(label, rateInput(name, settings[name]));
    return ask({
        title: "Rate limits of all torrents",
        body: [
            element("div", { class: "pair" }, limited("upload_limit", "Upload"), limited("download_limit", "Download")),
            tick("alternative", "The alternative rates hold now", settings.alternative),
            pair(
                limited("alternative_upload_limit", "Alternative upload"),
                limited("alternative_download_limit", "Alternative download"),
            ),
        ],
        submit: "Set",
        onsubmit: (form) => page.store.change(changed({ alternative: form.elements.alternative.checked, ...ratesOf(form) }, settings)),
    });
}

function rates(settings) {
    return group(
        "Rates",
        pair(
            rateField("Upload", rateInput("upload_limit", settings.upload_limit)),
            rateField("Download", rateInput("download_limit", settings.download_limit)),
        ),
        pair(
            field("Connections in all", numberInput("connections", settings.connections, { min: "1", required: true })),
            field(
                "Connections of a torrent",
                numberInput("connections_per_torrent", settings.connections_per_torrent, { placeholder: "no limit", min: "1" }),
            ),
        ),
    );
}

function alternative(settings) {
    const { schedule } = settings;
    const box = tick("scheduled", "By the clock", schedule !== null);
    const day = (name, bit) => tick(`day-${bit}`, name, Boolean(((schedule?.days ?? EVERY_DAY) >> bit) & 1));
    const times = element(
        "div",
        { class: "schedule" },
        pair(
            field(
                "From",
                element("input", { type: "time", name: "begin", value: clock(schedule?.begin ?? 480), required: true }),
            ),
            field("Until", element("input", { type: "time", name: "end", value: clock(schedule?.end ?? 1_320), required: true })),
        ),
        element("div", { class: "days", role: "group", "aria-label": "Days" }, ...DAYS.map(day)),
    );
    const show = () => (times.hidden = !box.firstChild.checked);
    box.addEventListener("change", show);
    show();
    return group(
        "Alternative rates",
        pair(
            rateField("Upload", rateInput("alternative_upload_limit", settings.alternative_upload_limit)),
            rateField("Download", rateInput("alternative_download_limit", settings.alternative_download_limit)),
        ),
        tick("alternative", "They hold now", settings.alternative),
        box,
        times,
    );
}

function queue(settings) {
    const most = (name, label) => field(label, numberInput(name, settings[name], { placeholder: "no limit" }));
    return group(
        "Queue",
        pair(most("downloads_max", "Downloads at once"), most("seeds_max", "Seeds at once")),
        pair(
            most("active_max", "Both together"),
            field("Checks at once", numberInput("checks_max", settings.checks_max, { min: "1", required: true })),
        ),
        tick("start_added", "Added torrents start at once", settings.start_added),
    );
}

function enough(settings) {
    const most = (name, label, attributes) =>
        field(label, numberInput(name, settings[name], { placeholder: "no limit", ...attributes }));
    return group(
        "Seeded enough",
        pair(most("ratio_limit", "Ratio", { step: "any" }), most("seeding_limit", "Minutes of seeding")),
        pair(
            most("idle_limit", "Minutes without a byte sent"),
            field("Then", choose("limit_action", ENOUGH, settings.limit_action)),
        ),
    );
}

function folders(settings) {
    const lines = (name, label, hint) => {
        const area = element("textarea", { name, rows: "2", spellcheck: "false" });
        area.value = settings[name].join("\n");
        return field(label, area, hint);
    };
    return group(
        "Folders on the server",
        field("Downloads", text("download_folder", settings.download_folder, { required: true })),
        field(
            "Until they are complete",
            text("incomplete_folder", settings.incomplete_folder ?? "", { placeholder: "in their place from the start" }),
        ),
        lines("watch_folders", "Watched for torrent files", "One a line."),
        element("p", { class: "hint" }, allowed(settings)),
    );
}

function rest() {
    const words = "Ports, addresses, blocked addresses, webhooks and all else stand in config.toml in the daemon’s state folder, each with its words.";
    return element("p", { class: "hint" }, words);
}

/** Where content may be is the owner's to say, in the file. */
function allowed({ roots, download_folder: downloads }) {
    const folders = [...new Set([downloads, ...roots])].join(", ");
    return `Content may be in ${folders}, in folders of categories, and below these. More are allowed by folders.roots in config.toml.`;
}

function trackers(settings) {
    const area = element("textarea", { name: "added_trackers", rows: "2", spellcheck: "false" });
    area.value = settings.added_trackers.join("\n");
    return group("Trackers", field("Added to public torrents", area, "One a line."));
}

function budget(settings) {
    const { budget: now } = settings;
    return group(
        "Traffic of a month",
        pair(
            field(
                "GiB, both directions",
                numberInput("budget_bytes", now ? now.bytes / GIB : null, { step: "any", placeholder: "no limit" }),
            ),
            field("Begins on day", numberInput("budget_day", now?.day ?? 1, { min: "1", max: "28", required: true })),
        ),
        tick("budget_paced", "Spread over the days that are left", now?.paced ?? true),
    );
}

/** Minutes after midnight -> "08:00". */
function clock(minutes) {
    return `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
}

function minutes(value) {
    const [hours, rest] = value.split(":").map(Number);
    return hours * 60 + rest;
}

/** What the form says, where it is other than `before`. */
function read(form, before) {
    const { elements } = form;
    const settings = {
        alternative: elements.alternative.checked,
        schedule: elements.scheduled.checked ? schedule(elements) : null,
        start_added: elements.start_added.checked,
        limit_action: elements.limit_action.value,
        download_folder: elements.download_folder.value.trim(),
        incomplete_folder: elements.incomplete_folder.value.trim() || null,
        watch_folders: linesOf(elements.watch_folders.value),
        added_trackers: linesOf(elements.added_trackers.value),
        budget: budgetOf(form),
    };
    Object.assign(settings, ratesOf(form));
    for (const name of [
        "connections",
        "connections_per_torrent",
        "downloads_max",
        "seeds_max",
        "active_max",
        "checks_max",
        "ratio_limit",
        "seeding_limit",
        "idle_limit",
    ]) {
        settings[name] = numberOf(form, name);
    }
    return changed(settings, before);
}

function ratesOf(form) {
    const names = ["upload_limit", "download_limit", "alternative_upload_limit", "alternative_download_limit"];
    return Object.fromEntries(names.map((name) => [name, rateOf(form, name)]));
}


function linesOf(value) {
    return value
        .split("\n")
        .map((line) => line.trim())
        .filter(Boolean);
}

function schedule(elements) {
    const days = DAYS.reduce((bits, _, bit) => bits | (elements[`day-${bit}`].checked ? 1 << bit : 0), 0);
    return { begin: minutes(elements.begin.value), end: minutes(elements.end.value), days };
}

function budgetOf(form) {
    const gibibytes = numberOf(form, "budget_bytes");
    if (gibibytes === null) return null;
    return { bytes: Math.round(gibibytes * GIB), day: numberOf(form, "budget_day"), paced: form.elements.budget_paced.checked };
}
