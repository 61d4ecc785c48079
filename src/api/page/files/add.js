// Adding: by button, by dropping files and links anywhere, by pasting.

import * as api from "./api.js";
import * as change from "./changes.js";
import { ask, field, listOf, rateField, rateInput, rateOf, text, tick } from "./dialog.js";
import { button, element, find, icon, isTyping, setText } from "./dom.js";
import { bytes, counted } from "./format.js";
import { tell } from "./toasts.js";

/** Requests at once. */
const AT_ONCE = 4;
const LINK = /^(magnet:\?|https?:\/\/)/i;
const HASH = /^([0-9a-f]{40}|[a-z2-7]{32})$/i;

/** Magnet links, addresses and hashes in `words`, one a line. */
function linksIn(words) {
    return words
        .split(/\s*\n\s*/)
        .map((line) => line.trim())
        .filter((line) => line !== "" && !line.startsWith("#"))
        .map((line) => (HASH.test(line) ? `magnet:?xt=urn:btih:${line}` : line));
}

/** Lets files and links be dropped and pasted anywhere. */
export function acceptEverywhere(page) {
    const veil = find("drop");
    const carries = (event) =>
        [...event.dataTransfer.types].some((type) => type === "Files" || type === "text/uri-list" || type === "text/plain");
    window.addEventListener("dragover", (event) => {
        if (!page.isOpen() || !carries(event)) return;
        event.preventDefault();
        veil.hidden = false;
    });
    window.addEventListener("dragleave", (event) => {
        if (event.relatedTarget === null) veil.hidden = true;
    });
    window.addEventListener("drop", (event) => {
        veil.hidden = true;
        if (!page.isOpen()) return;
        event.preventDefault();
        take(page, event.dataTransfer);
    });
    window.addEventListener("paste", (event) => {
        if (page.isOpen() && !isTyping(event.target)) take(page, event.clipboardData);
    });
}

function take(page, data) {
    const files = [...data.files];
    const links = linksIn(data.getData("text/uri-list") || data.getData("text/plain")).filter((line) => LINK.test(line));
    if (files.length > 0 || links.length > 0) void addDialog(page, files, links);
}

/** Asks how to add, and adds. */
export function addDialog(page, files = [], links = []) {
    const chosen = new Chosen(files);
    const area = element("textarea", {
        name: "links",
        rows: "3",
        placeholder: "Magnet links or addresses, one a line",
        spellcheck: "false",
    });
    area.value = links.join("\n");
    const { settings } = page.store;
    const folder = text("folder", "", { choices: page.folders() });
    const category = text("category", "", { choices: page.categories() });
    const hint = () => (folder.placeholder = page.folderOf(category.value.trim()));
    category.addEventListener("input", hint);
    hint();
    return ask({
        title: "Add torrents",
        wide: true,
        body: [
            chosen.node,
            field("Links", area),
            field("Folder on the server", folder),
            element(
                "div",
                { class: "pair" },
                field("Category", category),
                field("Tags", text("tags", "", { choices: page.tags() }), "Separated by commas."),
            ),
            tick("start", "Start at once", settings?.start_added ?? true),
            tick(
                "trusted",
                "The data is already there and right",
                false,
                "Sizes are compared now, pieces when they are first served. Unticked: everything is read and checked.",
            ),
            element(
                "details",
                {},
                element("summary", {}, "More"),
                element(
                    "div",
                    { class: "more" },
                    element(
                        "div",
                        { class: "pair" },
                        rateField("Upload limit", rateInput("upload", null)),
                        rateField("Download limit", rateInput("download", null)),
                    ),
                    tick("top", "First in the queue"),
                    tick("sequential", "Pieces in order", false, "To use it before it is complete; worse for the others."),
                    tick("ends", "First and last pieces first", false, "To look into it early."),
                    tick("follow", "Its folder follows its category"),
                    tick("super", "Super-seeding", false, "Shows each peer other pieces: for the only one who has all of it."),
                ),
            ),
        ],
        submit: "Add",
        onsubmit: (form) => addAll(page, chosen, area, form),
    });
}

/** Files to add: a list, and a button that asks for more. */
class Chosen {
    files = [];

    constructor(files) {
        this.list = element("ul", { class: "chosen" });
        const input = element("input", {
            type: "file",
            accept: ".torrent,application/x-bittorrent",
            multiple: true,
            class: "unseen",
            "aria-label": "Torrent files",
        });
        input.addEventListener("change", () => {
            this.add([...input.files]);
            input.value = "";
        });
        const pick = button({ label: "Choose torrent files", icon: "file", kind: "secondary", onclick: () => input.click() });
        this.node = element(
            "div",
            { class: "field" },
            this.list,
            element(
                "div",
                { class: "inline" },
                pick,
                input,
                element("span", { class: "hint" }, "or drop and paste them anywhere"),
            ),
        );
        this.add(files);
    }

    add(files) {
        for (const file of files) {
            const problem = element("span", { class: "problem" });
            const entry = { file, problem };
            const drop = button({
                label: `Leave out ${file.name}`,
                icon: "close",
                iconOnly: true,
                onclick: () => this.drop(entry),
            });
            entry.node = element(
                "li",
                {},
                icon("file"),
                element("span", { class: "ellipsis" }, file.name),
                element("span", { class: "quiet" }, bytes(file.size)),
                drop,
                problem,
            );
            this.files.push(entry);
            this.list.append(entry.node);
        }
    }

    drop(entry) {
        this.files = this.files.filter((kept) => kept !== entry);
        entry.node.remove();
    }
}

/** Adds one after another; those that are added leave the dialog, those that are refused stay in it. */
async function addAll(page, chosen, area, form) {
    const { elements } = form;
    const links = linksIn(area.value);
    if (chosen.files.length + links.length === 0) throw new Error("Choose torrent files, or give links.");
    const choice = {
        folder: elements.folder.value.trim() || undefined,
        category: elements.category.value.trim() || undefined,
        tags: listOf(elements.tags.value),
        paused: !elements.start.checked,
        trusted: elements.trusted.checked,
        upload_limit: rateOf(form, "upload") ?? undefined,
        download_limit: rateOf(form, "download") ?? undefined,
        sequential: elements.sequential.checked,
        first_last: elements.ends.checked,
        auto_managed: elements.follow.checked,
        super_seed: elements.super.checked,
    };
    if (choice.category) await page.knowCategory(choice.category);
    const result = { added: [], here: 0, problems: [], links: [] };
    await eachOf(chosen.files.slice(), (entry) => addFile(chosen, entry, choice, result));
    await eachOf(links, (link) => addLink(link, choice, result));
    if (elements.top.checked && result.added.length > 0) await api.change(result.added, change.queue("top"));
    area.value = result.links.join("\n");
    say(result);
}

function say({ added, here, problems }) {
    const parts = [];
    if (added.length > 0) parts.push(`Added ${counted(added.length, "torrent")}`);
    if (here > 0) parts.push(`${counted(here, "torrent")} already here`);
    if (parts.length > 0) tell(parts.join(", "));
    if (problems.length > 0)
        throw new Error(problems.length === 1 ? problems[0] : `${problems.length} were refused: ${problems[0]}`);
}

async function addFile(chosen, entry, choice, result) {
    try {
        note(await api.add({ torrent: base64(await entry.file.arrayBuffer()), ...choice }), result);
        chosen.drop(entry);
    } catch (error) {
        setText(entry.problem, error.message);
        result.problems.push(`${entry.file.name}: ${error.message}`);
    }
}

async function addLink(link, choice, result) {
    try {
        const kind = link.toLowerCase().startsWith("magnet:") ? "magnet" : "url";
        note(await api.add({ [kind]: link, ...choice }), result);
    } catch (error) {
        result.links.push(link);
        result.problems.push(error.message);
    }
}

function note(answer, result) {
    if (answer.duplicate) result.here += 1;
    else result.added.push(answer.hash);
}

async function eachOf(things, work) {
    const left = things.values();
    const worker = async () => {
        for (const thing of left) await work(thing);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

function base64(buffer) {
    const all = new Uint8Array(buffer);
    let letters = "";
    // a call takes so many arguments, not more
    for (let at = 0; at < all.length; at += 32_768) letters += String.fromCharCode(...all.subarray(at, at + 32_768));
    return btoa(letters);
}
