// The daemon ends while somebody looks, and comes back.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { addStopped } from "./torrents.mjs";
import { alongside, folder, picture, play, row, until } from "./browser.mjs";

const ADDRESS = "127.0.0.1:9093";
const state = join(folder, "another");

let daemon;
async function start() {
    daemon = alongside("daemon", "--state", state, "--api", ADDRESS);
    await until(
        () =>
            fetch(`http://${ADDRESS}/readyz`).then(
                ({ ok }) => ok,
                () => "no answer",
            ),
        "the daemon is ready",
    );
}

await start();
await play("lost", {}, async (page, complaints) => {
    const token = () => readFileSync(join(state, "token"), "utf8").trim();
    const logIn = async () => {
        await page.locator("#login-token").fill(token());
        await page.keyboard.press("Enter");
    };
    await page.goto(`http://${ADDRESS}/`);
    await logIn();
    await page.getByText("Nothing to seed yet").waitFor();
    await addStopped([["still here", 2 ** 20]], {}, { url: `http://${ADDRESS}/`, token: token() });
    await row(page, "still here").waitFor();

    daemon.kill("SIGKILL");
    await page.getByText("The daemon does not answer", { exact: false }).waitFor();
    assert.equal(await row(page, "still here").count(), 1, "what was known is still shown");
    await picture(page, "lost");
    await page.keyboard.press("s");
    await page
        .locator(".toast.bad")
        .getByText("The daemon cannot be reached", { exact: false })
        .waitFor()
        .catch(() => {});

    await start();
    await page
        .getByRole("button", { name: "Try now" })
        .click({ timeout: 2_000 })
        .catch(() => {});
    await page.locator("#login-token").waitFor();
    await logIn();
    await page.getByRole("button", { name: "Log out" }).waitFor();
    assert.equal(await page.getByText("The daemon does not answer", { exact: false }).isVisible(), false);
    complaints.length = 0; // the browser puts every refused connection on the console
});
