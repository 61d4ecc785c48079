// The page in a narrow window, with fingers.

import assert from "node:assert/strict";
import { drop, logIn, picture, play, row, shows } from "./browser.mjs";
import { addStopped, seededFile } from "./torrents.mjs";

await play(
    "phone",
    { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true, reducedMotion: "reduce" },
    async (page) => {
        await addStopped(
            [
                ["a name that is far too long to be shown whole on a telephone, whatever is done", 2 ** 30],
                ["short", 2 ** 20],
            ],
            { category: "some" },
        );
        const file = seededFile("seeded.bin", 300_000);
        await logIn(page);
        await drop(page, { files: [{ name: "seeded.torrent", bytes: file.bytes }] });
        await page.getByRole("dialog").getByRole("button", { name: "Add", exact: true }).tap();
        await row(page, "seeded.bin").getByText("Seeding").waitFor();
        assert.equal(await page.getByRole("columnheader").filter({ visible: true }).count(), 0, "cards have no columns");
        await fits(page);
        await picture(page, "phone-list");

        await page.getByRole("button", { name: "Filters" }).first().tap();
        await page.getByRole("navigation", { name: "Filters" }).getByRole("button", { name: "some 2" }).tap();
        await page.getByRole("navigation", { name: "Filters" }).waitFor({ state: "hidden" });
        await row(page, "seeded.bin").waitFor({ state: "detached" });
        await page.getByRole("button", { name: "Filters" }).first().tap();
        await page.getByRole("navigation", { name: "Filters" }).getByRole("button", { name: "some 2" }).tap();

        await several(page);
        await row(page, "seeded.bin").tap();
        const sheet = page.getByRole("region", { name: "Details" });
        await sheet.getByText("Transfer").waitFor();
        await fits(page);
        await picture(page, "phone-details");
        await sheet.getByRole("button", { name: "Stop" }).tap();
        await sheet.getByText("Paused").waitFor();
        for (const tab of ["Files", "Trackers", "Rates"]) {
            await sheet.getByRole("tab", { name: tab }).tap();
            await fits(page);
        }
        await sheet.getByRole("button", { name: "Close details" }).tap();
        await sheet.waitFor({ state: "hidden" });
        await page.getByLabel("Search by name").fill("short");
        await shows(page, ["short"]);
        await page.getByRole("button", { name: "Clear search" }).tap();
        await row(page, "seeded.bin").waitFor();
    },
);

/** A long press selects, taps go on, and what is done is done with all of them. */
async function several(page) {
    await row(page, "short").dispatchEvent("contextmenu", { clientX: 100, clientY: 300, bubbles: true });
    const bar = page.getByRole("toolbar", { name: "Selected torrents" });
    await row(page, "seeded.bin").tap();
    await bar.getByText("2 selected").waitFor();
    assert.equal(await page.getByRole("region", { name: "Details" }).isVisible(), false, "taps select");
    await fits(page);
    await picture(page, "phone-several");
    await bar.getByRole("button", { name: "Stop" }).tap();
    await row(page, "seeded.bin").getByText("Paused").waitFor();
    await bar.getByRole("button", { name: "Start" }).tap();
    await row(page, "seeded.bin").getByText("Seeding").waitFor();
    await bar.getByRole("button", { name: "Select no more" }).tap();
    await bar.waitFor({ state: "hidden" });
}

/** Nothing sticks out to the side. */
async function fits(page) {
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${wide} pixels too wide`);
}
