// A torrent's life: dropped on the page, seeded to aria2, looked at, stopped, started, removed with its data.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { alongside, ask, drop, folder, logIn, picture, play, row, until } from "./browser.mjs";
import { seededFile } from "./torrents.mjs";

const TRACKER = "10.77.0.8";
const SIZE = 6_000_001;

alongside("tracker", "--open", "--bind", TRACKER);

await play("life", {}, async (page) => {
    const file = seededFile("a film.bin", SIZE, `http://${TRACKER}:6969/announce`);
    await logIn(page);
    await drop(page, { files: [{ name: "a film.torrent", bytes: file.bytes }] });
    const dialog = page.getByRole("dialog", { name: "Add torrents" });
    await dialog.getByText("a film.torrent").waitFor();
    await dialog.getByLabel("Folder on the server").fill(dirname(file.path));
    await dialog.getByLabel("Category", { exact: true }).fill("films");
    await dialog.getByLabel("Tags").fill("new, rare");
    await dialog.getByRole("button", { name: "Add", exact: true }).click();

    const film = row(page, "a film.bin");
    await film.getByText("Seeding").waitFor();
    await film.getByText("films").waitFor();
    await page.getByRole("navigation").getByRole("button", { name: "rare" }).waitFor();

    await film.dblclick();
    const details = page.getByRole("region", { name: "Details" });
    await details.getByRole("tab", { name: "Trackers" }).click();
    await details.getByText("Works").waitFor();
    const { hash } = (await ask("GET", "torrents?fields=hash")).torrents[0];
    const home = join(folder, "aria2");
    mkdirSync(home);
    const arguments_ = [
        "--no-conf",
        "--enable-dht=false",
        "--enable-dht6=false",
        "--bt-enable-lpd=false",
        "--enable-peer-exchange=false",
        "--interface=10.77.0.2",
        "--listen-port=6902",
        "--seed-time=0",
        "--file-allocation=none",
        "--max-download-limit=1M",
        "--summary-interval=0",
        `--dir=${home}`,
        file.torrent,
    ];
    const download = promisify(execFile)("aria2c", arguments_, { cwd: home, timeout: 120_000 });
    await details.getByRole("tab", { name: "Peers" }).click();
    await details.getByText("aria2", { exact: false }).waitFor();
    await details.getByText(/Being sent to/).first().waitFor();
    const peer = async () => (await ask("GET", `torrents/${hash}/peers`))[0]?.held_by;
    // no longer than it takes to ask twice: what it waits for changes all the time
    await ask("PATCH", "settings", { upload_limit: 1 });
    await until(async () => (await peer()) === "rate limited" || (await peer()), "the daemon says what holds it up");
    await details.getByText(/eld by a rate limit/).first().waitFor();
    await ask("PATCH", "settings", { upload_limit: null });
    await until(
        async () => /[KM]iB\/s/.test(await film.locator(".end.up").textContent()) || "no rate",
        "the row shows what is sent",
    );
    await picture(page, "seeding");
    await download;
    assert.ok(readFileSync(join(home, "a film.bin")).equals(readFileSync(file.path)), "aria2 has what was seeded");

    await details.getByRole("tab", { name: "Overview" }).click();
    await until(
        async () => /Uploaded5\.72 MiB/.test((await details.textContent()).replaceAll("\n", "")) || (await details.textContent()),
        "what was sent is counted",
    );
    await details.getByRole("tab", { name: "Pieces" }).click();
    await details.getByText("92 of 92 pieces are here").waitFor();
    await details.getByRole("tab", { name: "Files" }).click();
    await details.getByRole("grid", { name: "Files" }).getByText("100 %").waitFor();

    await page.getByRole("toolbar", { name: "Torrents" }).getByRole("button", { name: "Stop" }).click();
    await film.getByText("Paused").waitFor();
    await page.getByRole("toolbar", { name: "Torrents" }).getByRole("button", { name: "Start" }).click();
    await film.getByText("Seeding").waitFor();

    await film.click({ button: "right" });
    await page.getByRole("menuitem", { name: "Remove" }).click();
    const removal = page.getByRole("dialog", { name: "Remove this torrent?" });
    await removal.getByText("The data stays where it is").waitFor();
    await removal.getByLabel("Delete the data too").check();
    await removal.getByText("5.72 MiB in", { exact: false }).waitFor();
    await removal.getByText("will be deleted", { exact: false }).waitFor();
    await removal.getByRole("button", { name: "Remove and delete data" }).click();
    await page.getByText("Nothing to seed yet").waitFor();
    await until(() => !existsSync(file.path) || "it is there", "the file is gone");
});
