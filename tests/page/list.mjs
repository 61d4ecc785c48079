// Searching, sorting, narrowing, selecting and changing in a list of a few.

import assert from "node:assert/strict";
import { ask, drop, logIn, names, picture, play, row, shows, until } from "./browser.mjs";
import { addStopped, nobodysTorrent } from "./torrents.mjs";

const MIB = 2 ** 20;

await play("list", {}, async (page) => {
    await addStopped(
        [
            ["Élan 2", 3 * MIB],
            ["elan 10", MIB],
            ["Zebra", 2 * MIB],
        ],
        { category: "animals" },
    );
    await addStopped([["apple", 5 * MIB]], { tags: ["fruit"] });
    await logIn(page);
    const head = (name) => page.getByRole("columnheader", { name }).getByRole("button");

    await head("Name").click();
    await shows(page, ["apple", "Élan 2", "elan 10", "Zebra"]);
    await head("Name").click();
    await shows(page, ["Zebra", "elan 10", "Élan 2", "apple"]);
    assert.equal(await page.getByRole("columnheader", { name: "Name" }).getAttribute("aria-sort"), "descending");
    await head("Size").click();
    await shows(page, ["apple", "Élan 2", "Zebra", "elan 10"]);

    await page.getByLabel("Search by name").fill("ELAN");
    await shows(page, ["Élan 2", "elan 10"]);
    await page.getByLabel("Search by name").fill("elan 1");
    await shows(page, ["elan 10"]);
    await page.getByLabel("Search by name").fill("nothing of the kind");
    await page.getByRole("button", { name: "Show all" }).click();
    await until(async () => (await names(page)).length === 4, "all are shown again");

    const filters = page.getByRole("navigation", { name: "Filters" });
    await filters.getByRole("button", { name: "animals 3" }).click();
    await shows(page, ["Élan 2", "Zebra", "elan 10"]);
    await filters.getByRole("button", { name: "animals 3" }).click();
    await filters.getByRole("button", { name: "fruit 1" }).click();
    await shows(page, ["apple"]);
    await filters.getByRole("button", { name: "fruit 1" }).click();
    await filters.getByRole("button", { name: "Paused 4" }).waitFor();

    await changes(page);
    await refusals(page);
    await settings(page);
});

async function changes(page) {
    await row(page, "Zebra").click();
    await row(page, "elan 10").click({ modifiers: ["Shift"] });
    await page.keyboard.press("t");
    const tags = page.getByRole("dialog", { name: "Tags of 2 torrents" });
    await tags.getByLabel("Tags").fill("striped, fast");
    await tags.getByRole("button", { name: "Set" }).click();
    await page.getByRole("button", { name: "striped 2" }).waitFor();

    await row(page, "apple").click();
    await page.keyboard.press("l");
    const limits = page.getByRole("dialog", { name: "Limits of 1 torrent" });
    await limits.getByLabel("Upload").fill("2");
    await limits.getByLabel("Ratio", { exact: true }).selectOption("own");
    await limits.getByLabel("Ratio: limit").fill("1.5");
    await limits.getByLabel("Then").selectOption("Remove it, keep its data");
    await limits.getByRole("button", { name: "Set" }).click();
    await limits.waitFor({ state: "detached" });
    const apple = (await ask("GET", "torrents")).torrents.find(({ name }) => name === "apple");
    assert.deepEqual(
        [apple.upload_limit, apple.ratio_limit, apple.seeding_limit, apple.limit_action],
        [2 * MIB, 1.5, "global", "remove"],
    );

    await page.keyboard.press("F2");
    await page.getByRole("dialog", { name: "Rename" }).getByLabel("Name in the list").fill("pear");
    await page.keyboard.press("Enter");
    await row(page, "pear").waitFor();
}

/** What the daemon refuses is told in its own words, and nothing that was typed is lost. */
async function refusals(page) {
    await drop(page, {
        files: [
            { name: "broken.torrent", bytes: Buffer.from("this is none") },
            { name: "good.torrent", bytes: nobodysTorrent("good", MIB) },
        ],
    });
    const dialog = page.getByRole("dialog", { name: "Add torrents" });
    await dialog.getByLabel("Start at once").uncheck();
    await dialog.getByLabel("Links").fill("magnet:?xt=urn:btih:nothex");
    await dialog.getByRole("button", { name: "Add", exact: true }).click();
    await dialog.getByText("2 were refused", { exact: false }).waitFor();
    await row(page, "good").waitFor();
    assert.equal(await dialog.getByText("good.torrent").count(), 0, "what was added is no longer asked for");
    await dialog.getByRole("button", { name: "Leave out broken.torrent" }).click();
    assert.equal(await dialog.getByLabel("Links").inputValue(), "magnet:?xt=urn:btih:nothex");
    await dialog.getByLabel("Links").fill(`magnet:?xt=urn:btih:${"ab".repeat(20)}`);
    await dialog.getByLabel("Folder on the server").fill("/proc/elsewhere");
    await dialog.getByRole("button", { name: "Add", exact: true }).click();
    await dialog.locator("footer .problem:visible").waitFor();
    await picture(page, "refused");
    await page.keyboard.press("Escape");
}

async function settings(page) {
    await page.keyboard.press(",");
    const dialog = page.getByRole("dialog", { name: "Settings" });
    await dialog.getByRole("group", { name: "Rates", exact: true }).getByLabel("Upload").fill("10");
    await dialog.getByLabel("By the clock").check();
    await dialog.getByLabel("From").fill("08:30");
    await dialog.getByRole("checkbox", { name: "Sun" }).uncheck();
    await picture(page, "settings");
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog.waitFor({ state: "detached" });
    const now = await ask("GET", "settings");
    assert.deepEqual([now.upload_limit, now.schedule], [10 * MIB, { begin: 510, end: 1320, days: 126 }]);
    await page.keyboard.press(",");
    await until(async () => (await dialog.getByLabel("From").inputValue()) === "08:30", "settings come back");
    await page.keyboard.press("Escape");
}
