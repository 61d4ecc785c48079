// What is chosen for torrents one by one: in the menu, by keys, in the dialogs of categories and tags.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ask, folder, logIn, play, row, shows, until } from "./browser.mjs";
import { addStopped, nobodysTorrent, seededFile } from "./torrents.mjs";

const MIB = 2 ** 20;
const of = async (name) => (await ask("GET", "torrents")).torrents.find((torrent) => torrent.name === name);
const isSo = (name, member, value) =>
    until(async () => (await of(name))[member] === value || `${(await of(name))[member]}`, `${member} of ${name} is ${value}`);

await play("choices", { permissions: ["clipboard-read", "clipboard-write"], acceptDownloads: true }, async (page) => {
    await addStopped(["one", "two", "three"].map((name) => [name, MIB]), { category: "", tags: ["kept", "rare"] });
    await logIn(page);
    await row(page, "one").waitFor();
    await switches(page);
    await queue(page);
    await copies(page);
    await differing(page);
    await categories(page);
    await tags(page);
    await rates(page);
    await trackers(page);
});

/** What a tracker says is told where one looks: in the list, in the filters, in the overview. */
async function trackers(page) {
    const file = seededFile("alone.bin", 100_000, "http://127.0.0.1:1/announce");
    await ask("POST", "torrents", { torrent: file.bytes.toString("base64") });
    const filters = page.getByRole("navigation", { name: "Filters" });
    await filters.getByRole("button", { name: "Tracker trouble 1" }).click();
    await shows(page, ["alone.bin"]);
    await row(page, "alone.bin").dblclick();
    await page.getByRole("region", { name: "Details" }).getByText(/^Tracker: .*refused/).waitFor();
    assert.match(await row(page, "alone.bin").locator(".status").getAttribute("title"), /^Tracker: /);
}

/** On for all unless it is on for all. */
async function switches(page) {
    await row(page, "one").click();
    await page.keyboard.press("Shift+U");
    await isSo("one", "super_seed", true);
    await row(page, "two").click({ modifiers: ["Control"] });
    const names = { "Super-seeding": "super_seed", "Pieces in order": "sequential", "First and last pieces first": "first_last" };
    for (const [label, member] of Object.entries(names)) {
        const entry = page.getByRole("menuitemcheckbox", { name: label });
        await row(page, "two").click({ button: "right" });
        assert.equal(await entry.getAttribute("aria-checked"), "false", "on for one of two is not on");
        await entry.click();
        await isSo("one", member, true);
        await isSo("two", member, true);
        await until(async () => {
            await row(page, "two").click({ button: "right" });
            const checked = await entry.getAttribute("aria-checked");
            if (checked !== "true") await page.keyboard.press("Escape");
            return checked === "true" || checked;
        }, "the menu shows it");
        await entry.click();
        await isSo("one", member, false);
    }
}

async function queue(page) {
    await row(page, "three").click();
    await page.keyboard.press("Alt+Home");
    await isSo("three", "queue", 0);
    await page.keyboard.press("Shift+F10");
    await page.getByRole("menuitem", { name: "Queue", exact: true }).focus();
    await page.keyboard.press("ArrowRight");
    await page.getByRole("menuitem", { name: "Last in the queue" }).focus();
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("Enter");
    await page.getByRole("menuitem", { name: "Last in the queue" }).click();
    await isSo("three", "queue", 2);
}

async function copies(page) {
    await row(page, "one").click();
    await page.keyboard.press("y");
    const { hash } = await of("one");
    const copied = () => page.evaluate(() => navigator.clipboard.readText());
    await until(async () => (await copied()) === `magnet:?xt=urn:btih:${hash}&dn=one` || (await copied()), "it is copied");
    await row(page, "one").click({ button: "right" });
    await page.getByRole("menuitem", { name: "Copy and save" }).click();
    const saving = page.waitForEvent("download");
    await page.getByRole("menuitem", { name: "Save torrent file" }).click();
    const saved = await saving;
    assert.equal(saved.suggestedFilename(), "one.torrent");
    assert.deepEqual(readFileSync(await saved.path()), nobodysTorrent("one", MIB));
}

/** Limits of several: what they have in common is shown, and what is not touched stays with each as it is. */
async function differing(page) {
    await ask("PATCH", `torrents/${(await of("one")).hash}`, { upload_limit: 1_234_567, ratio_limit: 2, peer_limit: 7 });
    await ask("PATCH", `torrents/${(await of("two")).hash}`, { upload_limit: 1_234_567, ratio_limit: "unlimited" });
    await row(page, "one").click();
    await row(page, "two").click({ modifiers: ["Control"] });
    await page.keyboard.press("l");
    const dialog = page.getByRole("dialog", { name: "Limits of 2 torrents" });
    assert.equal(await dialog.getByLabel("Ratio", { exact: true }).inputValue(), "leave");
    assert.equal(await dialog.getByLabel("Peers").getAttribute("placeholder"), "they differ");
    await dialog.getByLabel("Idle time", { exact: true }).selectOption("own");
    await dialog.getByLabel("Idle time: limit").fill("90");
    await dialog.getByRole("button", { name: "Set" }).click();
    await dialog.waitFor({ state: "detached" });
    const limits = async (name) => {
        const torrent = await of(name);
        return [torrent.upload_limit, torrent.ratio_limit, torrent.idle_limit, torrent.peer_limit];
    };
    assert.deepEqual(await limits("one"), [1_234_567, 2, 90, 7]);
    assert.deepEqual(await limits("two"), [1_234_567, "unlimited", 90, null]);
}

async function categories(page) {
    const edit = page.getByRole("button", { name: "Edit categories" });
    const dialog = page.getByRole("dialog", { name: "Categories" });
    const downloads = join(folder, "state", "downloads");
    await edit.click();
    await dialog.getByLabel("Name").fill("films");
    assert.equal(await dialog.getByLabel("Folder of").getAttribute("placeholder"), join(downloads, "films"));
    await dialog.getByLabel("Folder of").fill("/etc");
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog.getByText("lies outside of the folders that content may be in", { exact: false }).waitFor();
    await dialog.getByLabel("Folder of").fill(join(downloads, "cinema"));
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog.waitFor({ state: "detached" });
    assert.deepEqual((await ask("GET", "settings")).categories, { films: { folder: join(downloads, "cinema") } });

    await row(page, "one").click();
    await page.keyboard.press("c");
    await page.getByRole("dialog", { name: "Category of 1 torrent" }).getByLabel("Category").fill("films");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "films 1" }).waitFor();
    await page.keyboard.press("Shift+C");
    await isSo("one", "folder", join(downloads, "cinema"));

    await edit.click();
    await dialog.getByRole("button", { name: "Remove films" }).click();
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog.waitFor({ state: "detached" });
    await isSo("one", "category", "");
    assert.deepEqual((await ask("GET", "settings")).categories, {});
}

async function tags(page) {
    await page.getByRole("button", { name: "Edit tags" }).click();
    const dialog = page.getByRole("dialog", { name: "Tags" });
    await dialog.getByRole("button", { name: "Remove rare" }).click();
    await dialog.getByLabel("New tags").fill("later, soon");
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog.waitFor({ state: "detached" });
    assert.deepEqual((await ask("GET", "settings")).tags, ["kept", "later", "soon"]);
    assert.deepEqual((await of("two")).tags, ["kept"]);
}

async function rates(page) {
    await page.getByRole("button", { name: "Down", exact: false }).first().click();
    const dialog = page.getByRole("dialog", { name: "Rate limits of all torrents" });
    await dialog.getByLabel("Upload", { exact: true }).fill("3");
    await dialog.getByLabel("Alternative upload").fill("1");
    await dialog.getByRole("button", { name: "Set" }).click();
    await dialog.waitFor({ state: "detached" });
    const slow = page.getByRole("button", { name: "Alternative rates" });
    await slow.click();
    await until(async () => (await slow.getAttribute("aria-pressed")) === "true" || "not pressed", "it shows that they hold");
    const settings = await ask("GET", "settings");
    assert.deepEqual(
        [settings.upload_limit, settings.alternative_upload_limit, settings.alternative],
        [3 * MIB, MIB, true],
    );
}
