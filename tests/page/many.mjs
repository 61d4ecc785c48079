// Ten thousand torrents: how long the page works for each frame while it scrolls, and how few rows it has.

import assert from "node:assert/strict";
import { ask, logIn, picture, play, until } from "./browser.mjs";
import { quantile, scroll, workOfFrames } from "./frames.mjs";
import { addStopped } from "./torrents.mjs";

const TORRENTS = 10_000;
const AT_ONCE = 500;
/** Milliseconds of a frame at 60 a second. */
const FRAME = 16;
/** What is scrolled a frame, in pixels: a fast turn of the wheel, and a whole window. */
const FAST = 137;
const WINDOW = 850;

const KINDS = ["iso", "mkv", "tar.zst", "epub"];
const SUBJECTS = ["lectures", "maps", "recordings", "genomes", "mirrors", "films"];

for (let first = 0; first < TORRENTS; first += AT_ONCE) {
    const subject = SUBJECTS[(first / AT_ONCE) % SUBJECTS.length];
    const batch = Array.from({ length: AT_ONCE }, (_, at) => [
        `${subject} ${first + at}.${KINDS[at % KINDS.length]}`,
        2 ** (18 + (at % 14)) + at,
    ]);
    await addStopped(batch, { category: subject, tags: at(first) });
}

function at(first) {
    return (first / AT_ONCE) % 3 === 0 ? ["kept"] : [];
}

for (const colorScheme of ["light", "dark"]) {
    await play(`many-${colorScheme}`, { colorScheme }, async (page) => {
        await logIn(page);
        await until(
            async () =>
                (await page.locator("#totals").textContent()).includes("10,000") || (await page.locator("#totals").textContent()),
            "all are counted",
        );
        await picture(page, `many-${colorScheme}`);
        if (colorScheme === "light") await measure(page);
        await page.locator("#list .row").nth(5).click();
        await page.keyboard.press("Enter");
        await page.getByRole("region", { name: "Details" }).getByText("Transfer").waitFor();
        await page.waitForTimeout(500);
        await picture(page, `many-details-${colorScheme}`);
    });
}

async function measure(page) {
    const grid = page.locator("#list [role=grid]");
    assert.equal(await grid.getAttribute("aria-rowcount"), `${TORRENTS + 1}`);
    const rows = await page.locator("#list .grid-body .row").count();
    assert.ok(rows < 60, `${rows} rows are in the document`);

    await scroll(page, FAST, 60); // compiled and cached from here on
    const idle = await workOfFrames(page, () => scroll(page, FAST, 240));
    const changing = await workOfFrames(page, async () => {
        const change = ask("POST", "change", { hashes: "all", change: { kind: "add_tags", tags: ["changed"] } });
        await scroll(page, FAST, 240);
        await change;
    });
    const windows = await workOfFrames(page, () => scroll(page, WINDOW, 120));
    for (const [what, frames] of Object.entries({ idle, changing, windows })) {
        const [half, most, longest] = [quantile(frames, 0.5), quantile(frames, 0.95), frames.at(-1)].map((time) =>
            time.toFixed(1),
        );
        console.log(
            `scrolling, ${what}: ${frames.length} frames, work of half of them ${half} ms, of 95 % ${most} ms, longest ${longest} ms`,
        );
    }
    assert.ok(idle.length > 120 && quantile(idle, 0.95) < FRAME, "scrolling");
    assert.ok(quantile(changing, 0.95) < FRAME, "scrolling while everything changes");
    assert.ok(quantile(windows, 0.5) < FRAME, "a whole window of other rows each frame");

    const search = page.getByLabel("Search by name");
    const began = Date.now();
    await search.fill("genomes 9");
    await until(
        async () => (await page.locator("#totals").textContent()).includes(" of 10,000") || "all",
        "the list is narrowed",
    );
    console.log(`search: ${Date.now() - began} ms until the list is narrowed`);
    await search.fill("");
    await page.getByRole("columnheader", { name: "Size" }).getByRole("button").click();
    await until(async () => (await grid.getAttribute("aria-rowcount")) === `${TORRENTS + 1}`, "all are shown again");
    await page.mouse.move(700, 400);
    await page.mouse.wheel(0, 100_000);
    await until(async () => (await grid.evaluate((node) => node.scrollTop)) > 50_000 || "at the top", "the wheel scrolls");
    assert.ok((await page.locator("#list .grid-body .row:visible").count()) > 10, "rows are where one scrolled to");
}
