// Everything without a mouse.

import assert from "node:assert/strict";
import { ask, logIn, play, row, shows, until } from "./browser.mjs";
import { addStopped } from "./torrents.mjs";

await play("keyboard", {}, async (page) => {
    const press = (...keys) => keys.reduce((before, key) => before.then(() => page.keyboard.press(key)), Promise.resolve());
    const selected = async () => page.locator('#list .row[aria-selected="true"]:visible .name').allTextContents();
    await addStopped(["one", "two", "three", "four", "five"].map((name, at) => [name, (at + 1) * 2 ** 20]));
    await logIn(page);
    await shows(page, ["five", "four", "one", "three", "two"].sort().reverse() && (await order(page)));
    const all = await order(page);

    await press("ArrowDown", "ArrowDown");
    assert.deepEqual(await settled(selected, 1), [all[1]]);
    await press("Shift+ArrowDown");
    assert.deepEqual((await settled(selected, 2)).sort(), [all[1], all[2]].sort());
    await press("Control+a");
    assert.equal((await settled(selected, 5)).length, 5);
    await press("Escape", "End", "Control+Home", " ");
    assert.deepEqual((await settled(selected, 2)).sort(), [all[4], all[0]].sort());

    await press("/");
    await page.keyboard.type("three");
    await shows(page, ["three"]);
    await press("Enter", "Enter");
    await page.getByRole("region", { name: "Details" }).getByText("Transfer").waitFor();
    await press("Escape");
    await page.getByRole("region", { name: "Details" }).waitFor({ state: "hidden" });

    await press("c");
    await page.keyboard.type("numbers");
    await press("Enter");
    await row(page, "three").getByText("numbers").waitFor();

    await press("Shift+F10");
    await press("ArrowDown", "End", "Enter");
    await page.getByRole("dialog", { name: "Remove this torrent?" }).waitFor();
    await press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    assert.equal((await ask("GET", "torrents?fields=hash")).torrents.length, 5, "a dialog that is left does nothing");
    await press("Delete", "Enter");
    await page.getByText("No torrent fits").waitFor();
    await press("/", "Escape");
    await until(async () => (await order(page)).length === 4, "the others are shown again");

    await press("Escape", "?");
    await page.getByRole("dialog", { name: "Keyboard" }).getByText("Verify data").waitFor();
    await press("Escape");
    await tabsThrough(page);
});

async function order(page) {
    return page
        .locator("#list .grid-body .row:visible")
        .evaluateAll((rows) =>
            rows
                .sort((a, b) => a.getAttribute("aria-rowindex") - b.getAttribute("aria-rowindex"))
                .map((row) => row.querySelector(".name").textContent),
        );
}

/** What `read` gives once it gives that many. */
async function settled(read, count) {
    await until(async () => (await read()).length === count || `${await read()}`, `${count} are selected`);
    return read();
}

/** Tab leads to every part of the page, and what has the keyboard can be seen. */
async function tabsThrough(page) {
    const reached = new Set();
    for (let tab = 0; tab < 60; tab += 1) {
        await page.keyboard.press("Tab");
        reached.add(
            await page.evaluate(() => {
                const active = document.activeElement;
                // past the last one: the browser's own
                if (active === document.body) return "the browser";
                const style = getComputedStyle(active);
                const seen = style.outlineStyle !== "none" || style.boxShadow !== "none" || active.matches("[role=grid]");
                return `${active.getAttribute("aria-label") ?? active.textContent.trim()}${seen ? "" : " UNSEEN"}`;
            }),
        );
    }
    for (const part of ["Add torrents", "Search by name", "Settings", "Torrents"])
        assert.ok(reached.has(part), `Tab reaches ${part}: ${[...reached]}`);
    assert.ok(![...reached].some((name) => name.endsWith("UNSEEN") && !name.startsWith("sower")), `${[...reached]}`);
}
