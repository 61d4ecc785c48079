// In with the token, out again; what is shown to whom.

import assert from "node:assert/strict";
import { logIn, play, token, url } from "./browser.mjs";

await play("login", {}, async (page) => {
    await page.locator("#login-token").fill("a guess");
    await page.keyboard.press("Enter");
    await page.getByText("wrong user or token", { exact: false }).waitFor();
    assert.equal(await page.locator("#app").isVisible(), false);

    await logIn(page);
    await page.getByText("Nothing to seed yet").waitFor();
    const [cookie] = await page.context().cookies();
    assert.deepEqual([cookie.name, cookie.httpOnly, cookie.sameSite], ["SID", true, "Strict"]);
    const kept = await page.evaluate(() =>
        JSON.stringify([
            { ...localStorage },
            { ...sessionStorage },
            document.cookie,
            document.querySelector("#login-token").value,
        ]),
    );
    assert.ok(!kept.includes(token), "the token is nowhere in the page");

    await page.reload();
    await page.getByText("Nothing to seed yet").waitFor();
    await page.getByRole("button", { name: "Log out" }).click();
    await page.locator("#login-token").waitFor();
    assert.equal(
        (await fetch(new URL("api/v1/torrents", url), { headers: { cookie: `SID=${cookie.value}` } })).status,
        401,
        "the session is over",
    );
    await page.reload();
    await page.locator("#login-token").waitFor();
});
