// What the page works for each frame: script, style, layout and paint on its main thread, in processor time, so that
// whatever else the machine is doing does not count.

/** Runs `work` in the page while its main thread is watched; gives milliseconds of work of each frame, in order of size. */
export async function workOfFrames(page, work) {
    const session = await page.context().newCDPSession(page);
    const events = [];
    session.on("Tracing.dataCollected", ({ value }) => events.push(...value));
    const done = new Promise((resolve) => session.once("Tracing.tracingComplete", resolve));
    await session.send("Tracing.start", {
        transferMode: "ReportEvents",
        traceConfig: { includedCategories: ["toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline"] },
    });
    await work();
    await session.send("Tracing.end");
    await done;
    await session.detach();
    return framesOf(events);
}

function framesOf(events) {
    const main = mainThread(events);
    const own = events.filter((event) => event.pid === main.pid && event.tid === main.tid);
    const ends = own
        .filter((event) => event.name === "BeginCommitCompositorFrame")
        .map((event) => event.ts)
        .sort((a, b) => a - b);
    const frames = new Array(ends.length).fill(0);
    const tasks = own.filter((event) => event.name === "ThreadControllerImpl::RunTask" && event.ph === "X");
    let frame = 0;
    for (const { ts, tdur } of tasks.sort((a, b) => a.ts - b.ts)) {
        // what begins after a frame was handed on is work for the next one
        while (frame < ends.length && ends[frame] < ts) frame += 1;
        if (frame < ends.length) frames[frame] += (tdur ?? 0) / 1000;
    }
    return frames.sort((a, b) => a - b);
}

/** The thread that runs the scripts of the page. */
function mainThread(events) {
    const counts = new Map();
    for (const event of events) {
        if (event.name !== "FireAnimationFrame") continue;
        const key = `${event.pid}/${event.tid}`;
        counts.set(key, { pid: event.pid, tid: event.tid, count: (counts.get(key)?.count ?? 0) + 1 });
    }
    return [...counts.values()].sort((a, b) => b.count - a.count)[0];
}

/** The value below which that part of `sorted` lies. */
export function quantile(sorted, part) {
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}

/** Scrolls the list by `step` pixels a frame, for so many frames; it turns back at its ends. */
export async function scroll(page, step, frames) {
    await page.evaluate(
        ([by, most]) =>
            new Promise((resolve) => {
                const grid = document.querySelector("#list [role=grid]");
                let [left, direction] = [most, 1];
                const next = () => {
                    grid.scrollTop += by * direction;
                    if (grid.scrollTop <= 0 || grid.scrollTop + grid.clientHeight >= grid.scrollHeight - 1)
                        direction = -direction;
                    left -= 1;
                    if (left > 0) requestAnimationFrame(next);
                    else resolve();
                };
                requestAnimationFrame(next);
            }),
        [step, frames],
    );
}
