// Questions about the selected torrents.

import * as change from "./changes.js";
import * as api from "./api.js";
import { ask, changed, choose, field, listOf, numberInput, numberOf, rateField, rateInput, rateOf, text, tick } from "./dialog.js";
import { bytes, counted, whole } from "./format.js";
import { complain } from "./toasts.js";
import { element, icon } from "./dom.js";
import { ENOUGH } from "./settings.js";

/** Names that are listed one by one in a question. */
const NAMED = 5;

/** Names of the first torrents, and how many more there are. */
function namesOf(torrents) {
    const names = torrents.slice(0, NAMED).map((torrent) => element("li", { class: "ellipsis" }, torrent.name));
    const more = torrents.length - NAMED;
    return element(
        "ul",
        { class: "names" },
        ...names,
        more > 0 ? element("li", { class: "quiet" }, `and ${whole(more)} more`) : null,
    );
}

/** What all of them have in common; `fallback` if they differ. */
function common(torrents, value, fallback) {
    const first = value(torrents[0]);
    return torrents.every((torrent) => value(torrent) === first) ? first : fallback;
}

/** Removes torrents, and says what of their content is deleted. */
export function removeDialog(page, torrents) {
    const size = torrents.reduce((sum, torrent) => sum + torrent.size * torrent.progress, 0);
    const folders = [...new Set(torrents.map((torrent) => torrent.folder))];
    const where = folders.length === 1 ? folders[0] : counted(folders.length, "folder");
    const kept = `The data stays where it is (${bytes(size)} in ${where}).`;
    const gone = `${bytes(size)} in ${where} will be deleted. This cannot be undone.`;
    const words = element("p", {}, kept);
    const warning = element("div", { class: "consequence" }, icon("disk"), words);
    const box = tick("data", "Delete the data too");
    box.addEventListener("change", (event) => {
        words.textContent = event.target.checked ? gone : kept;
        warning.classList.toggle("danger", event.target.checked);
        const submit = box.closest("form").querySelector("[type=submit]");
        submit.textContent = event.target.checked ? "Remove and delete data" : "Remove";
    });
    return ask({
        title: torrents.length === 1 ? "Remove this torrent?" : `Remove ${counted(torrents.length, "torrent")}?`,
        body: [namesOf(torrents), box, warning],
        submit: "Remove",
        danger: true,
        onsubmit: (form) => page.change(torrents, change.remove(form.elements.data.checked)),
    });
}

/** Puts content into another folder, or says that it is there already. */
export function moveDialog(page, torrents) {
    const folder = common(torrents, (torrent) => torrent.folder, "");
    return ask({
        title: `Move ${counted(torrents.length, "torrent")}`,
        body: [
            namesOf(torrents),
            field("Folder on the server", text("folder", folder, { required: true, choices: page.folders() })),
            tick("files", "Move the files", true, "Unticked: they are in that folder already."),
        ],
        submit: "Move",
        onsubmit: ({ elements }) => page.change(torrents, change.move(elements.folder.value.trim(), elements.files.checked)),
    });
}

/** Another name for one torrent. */
export function renameDialog(page, torrents) {
    const [torrent] = torrents;
    return ask({
        title: "Rename",
        body: [field("Name in the list", text("name", torrent.name), "Files keep their names. Empty: the name in the torrent.")],
        submit: "Rename",
        onsubmit: ({ elements }) => page.change(torrents, change.name(elements.name.value.trim() || null)),
    });
}

/** A category, known or new. */
export function categoryDialog(page, torrents) {
    const value = common(torrents, (torrent) => torrent.category, "");
    return ask({
        title: `Category of ${counted(torrents.length, "torrent")}`,
        body: [
            field(
                "Category",
                text("category", value, { choices: page.categories() }),
                "Empty for none. A new name makes a new category.",
            ),
        ],
        submit: "Set",
        onsubmit: async ({ elements }) => {
            const name = elements.category.value.trim();
            await page.knowCategory(name);
            await page.change(torrents, change.category(name));
        },
    });
}

/** Tags: those that all of them have are listed. */
export function tagsDialog(page, torrents) {
    const before = torrents[0].tags.filter((tag) => torrents.every((torrent) => torrent.tags.includes(tag)));
    return ask({
        title: `Tags of ${counted(torrents.length, "torrent")}`,
        body: [field("Tags", text("tags", before.join(", "), { choices: page.tags() }), "Separated by commas.")],
        submit: "Set",
        onsubmit: async ({ elements }) => {
            const after = listOf(elements.tags.value);
            const added = after.filter((tag) => !before.includes(tag));
            const removed = before.filter((tag) => !after.includes(tag));
            if (added.length > 0) await page.change(torrents, change.addTags(added));
            if (removed.length > 0) await page.change(torrents, change.removeTags(removed));
        },
    });
}

/** Limits of a torrent, as the API has them. */
const LIMITS = [
    "upload_limit",
    "download_limit",
    "ratio_limit",
    "seeding_limit",
    "idle_limit",
    "limit_action",
    "peer_limit",
];
/** A choice in which the torrents differ, and that is left alone. */
const LEAVE = ["leave", "They differ: leave them"];

/** A limit that is as everywhere, none, or a number of its own. */
function limitField(name, label, value, hint, attributes) {
    const kind = typeof value === "number" ? "own" : value;
    const number = numberInput(name, kind === "own" ? value : "", { "aria-label": `${label}: limit`, ...attributes });
    const kinds = [
        ["global", "As in the settings"],
        ["unlimited", "No limit"],
        ["own", "Own limit"],
    ];
    const select = choose(`${name}-kind`, kind === "leave" ? [LEAVE, ...kinds] : kinds, kind);
    const show = () => (number.hidden = select.value !== "own");
    select.addEventListener("change", show);
    show();
    const whole = field(label, select, hint);
    const both = element("div", { class: "joined" });
    select.replaceWith(both);
    both.append(select, number);
    return whole;
}

function limitOf(form, name) {
    const kind = form.elements[`${name}-kind`].value;
    return kind === "own" ? (numberOf(form, name) ?? "global") : kind;
}

/** Limits that all of them have; of those in which they differ, what shows that. */
async function limitsOf(torrents) {
    const all =
        torrents.length === 1
            ? [await api.details(torrents[0].hash)]
            : (await api.get(`torrents?fields=hash,${LIMITS.join(",")}`)).torrents;
    const selected = new Set(torrents.map((torrent) => torrent.hash));
    const mine = all.filter(({ hash }) => selected.has(hash));
    const differ = (name) => (name.endsWith("load_limit") || name === "peer_limit" ? null : "leave");
    return Object.fromEntries(
        LIMITS.map((name) => {
            const alike = mine.every((one) => one[name] === mine[0][name]);
            return [name, { value: alike ? mine[0][name] : differ(name), alike }];
        }),
    );
}

/** Rates, ratio, time and peers. What is left as it is shown stays as it is with each. */
export async function limitsDialog(page, torrents) {
    let shown;
    try {
        shown = await limitsOf(torrents);
    } catch (error) {
        return complain(error);
    }
    const value = (name) => shown[name].value;
    const none = (name, words) => (shown[name].alike ? words : "they differ");
    const rateFor = (label, name) => {
        const input = rateInput(name, value(name));
        input.number.placeholder = none(name, "no limit");
        return rateField(label, input);
    };
    const actions = [["", "As in the settings"], ...ENOUGH];
    const action = value("limit_action") ?? "";
    const before = Object.fromEntries(LIMITS.map((name) => [name, value(name)]));
    return ask({
        title: `Limits of ${counted(torrents.length, "torrent")}`,
        body: [
            element("div", { class: "pair" }, rateFor("Upload", "upload_limit"), rateFor("Download", "download_limit")),
            limitField("ratio", "Ratio", value("ratio_limit"), "Sent for each byte.", { step: "any" }),
            limitField("seeding", "Seeding time", value("seeding_limit"), "Minutes."),
            limitField("idle", "Idle time", value("idle_limit"), "Minutes of seeding without a byte sent."),
            field("Then", choose("action", action === "leave" ? [LEAVE, ...actions] : actions, action)),
            field(
                "Peers",
                numberInput("peers", value("peer_limit") ?? "", { placeholder: none("peer_limit", "as in the settings") }),
            ),
        ],
        submit: "Set",
        onsubmit: async (form) => {
            const after = {
                upload_limit: rateOf(form, "upload_limit"),
                download_limit: rateOf(form, "download_limit"),
                ratio_limit: limitOf(form, "ratio"),
                seeding_limit: limitOf(form, "seeding"),
                idle_limit: limitOf(form, "idle"),
                limit_action: form.elements.action.value || null,
                peer_limit: numberOf(form, "peers"),
            };
            const what = changed(after, before);
            if (Object.keys(what).length > 0) await page.change(torrents, change.limits(what));
        },
    });
}
