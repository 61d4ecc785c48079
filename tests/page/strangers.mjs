// Names, comments, tags and addresses that try to be more than text.

import assert from "node:assert/strict";
import { ask, drop, logIn, play, row } from "./browser.mjs";
import { nobodysTorrent } from "./torrents.mjs";

const ATTACK = `<img src=x onerror="window.broken=1"><script>window.broken=1`;
const QUOTES = `"'><svg onload=window.broken=1>&lt;b&gt;\u202egnp.exe`;
/** What turns the direction of text is shown as what it is not: harmless. */
const SHOWN = QUOTES.replace("\u202e", "\ufffd");

await play("strangers", {}, async (page, complaints) => {
    await logIn(page);
    const bytes = nobodysTorrent(ATTACK, 2 ** 20, {
        comment: ATTACK,
        "created by": QUOTES,
        announce: `http://tracker.example/${encodeURIComponent(QUOTES)}`,
    });
    await drop(page, { files: [{ name: `${QUOTES}.torrent`, bytes }] });
    const dialog = page.getByRole("dialog", { name: "Add torrents" });
    await dialog.getByLabel("Category", { exact: true }).fill(ATTACK);
    await dialog.getByLabel("Tags").fill(QUOTES);
    await dialog.getByLabel("Start at once").uncheck();
    await dialog.getByRole("button", { name: "Add", exact: true }).click();

    const stranger = row(page, ATTACK).first();
    await stranger.waitFor();
    await stranger.dblclick();
    const details = page.getByRole("region", { name: "Details" });
    await details.locator("dd").getByText(ATTACK, { exact: true }).first().waitFor();
    for (const tab of ["Files", "Peers", "Trackers", "Pieces", "Rates"]) {
        await details.getByRole("tab", { name: tab }).click();
        await page.waitForTimeout(300);
    }
    for (const key of ["Delete", "m", "F2", "c", "t", "l"]) {
        await page.locator("#list [role=grid]").focus();
        await page.keyboard.press(key);
        await page.getByRole("dialog").waitFor();
        await page.keyboard.press("Escape");
        await page.getByRole("dialog").waitFor({ state: "detached" });
    }
    await page.locator("#list [role=grid]").focus();
    await page.keyboard.press("v");
    await page.locator(".toast").first().waitFor();

    const hash = (await ask("GET", "torrents")).torrents[0].hash;
    await ask("PATCH", `torrents/${hash}`, { name: QUOTES });
    await row(page, SHOWN).waitFor();
    const found = await page.evaluate(() => [
        window.broken,
        document.querySelectorAll("#app img, #app script, dialog img, .toast img, [onerror], [onload]").length,
    ]);
    assert.deepEqual(found, [undefined, 0]);

    const refused = await page.evaluate(() => {
        try {
            document.body.innerHTML = "<b>text</b>";
            return false;
        } catch {
            return true;
        }
    });
    assert.ok(refused, "the browser itself turns no text into elements");
    complaints.length = 0;
});
