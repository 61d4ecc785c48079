// What a torrent is doing, in words and pictures.

/** By the API's word: what is shown, its icon, and a tone that only underlines what icon and text say. */
const ACTIVITIES = {
    queued_check: { label: "Queued for check", icon: "queued", tone: "quiet" },
    checking: { label: "Checking", icon: "checking", tone: "busy" },
    metadata: { label: "Metadata", icon: "metadata", tone: "busy" },
    queued_download: { label: "Queued", icon: "queued", tone: "quiet" },
    downloading: { label: "Downloading", icon: "downloading", tone: "down" },
    queued_seed: { label: "Queued to seed", icon: "queued", tone: "quiet" },
    seeding: { label: "Seeding", icon: "seeding", tone: "up" },
    paused: { label: "Paused", icon: "paused", tone: "quiet" },
    moving: { label: "Moving", icon: "moving", tone: "busy" },
    absent: { label: "Data absent", icon: "absent", tone: "warn" },
    failed: { label: "Error", icon: "failed", tone: "bad" },
};

/** Those that trackers should hear of. */
const RUNS = ["seeding", "downloading", "metadata"];

const UNKNOWN = { label: "Unknown", icon: "help", tone: "quiet" };

/** How `torrent` is shown. */
export function activity(torrent) {
    const known = ACTIVITIES[torrent.activity] ?? UNKNOWN;
    return isUnannounced(torrent) && RUNS.includes(torrent.activity) ? { ...known, icon: "warning", tone: "warn" } : known;
}

/** Its words: "Checking 43 %". */
export function activityText(torrent) {
    const { label } = activity(torrent);
    const part = torrent.activity_per_mille ?? null;
    return part === null ? label : `${label} ${Math.floor(part / 10)} %`;
}

/** What its owner may have to mend, in words; empty if all is well. */
export function trouble(torrent) {
    if (torrent.message) return torrent.message;
    return torrent.tracker_message ? `Tracker: ${torrent.tracker_message}` : "";
}

/** It seeds or downloads, and nobody new will hear of it. */
function isUnannounced(torrent) {
    return torrent.tracker_trouble === "refused" || torrent.tracker_trouble === "unreachable";
}

/** Payload moves now. */
function isActive(torrent) {
    return torrent.upload_rate > 0 || torrent.download_rate > 0;
}

const among =
    (...activities) =>
    (torrent) =>
        activities.includes(torrent.activity);

/** States that a list can be narrowed to, in the order in which they are offered. */
export const STATES = [
    { id: "all", label: "All", icon: "all", holds: () => true },
    { id: "active", label: "Active", icon: "active", holds: isActive },
    { id: "downloading", label: "Downloading", icon: "downloading", holds: among("downloading", "metadata") },
    { id: "seeding", label: "Seeding", icon: "seeding", holds: among("seeding") },
    { id: "paused", label: "Paused", icon: "paused", holds: among("paused") },
    { id: "queued", label: "Queued", icon: "queued", holds: among("queued_download", "queued_seed") },
    { id: "checking", label: "Checking", icon: "checking", holds: among("checking", "queued_check") },
    { id: "moving", label: "Moving", icon: "moving", holds: among("moving") },
    { id: "absent", label: "Data absent", icon: "absent", holds: among("absent") },
    { id: "failed", label: "Error", icon: "failed", holds: among("failed") },
    { id: "complete", label: "Complete", icon: "check", holds: (torrent) => torrent.progress >= 1 },
    { id: "unannounced", label: "Tracker trouble", icon: "warning", holds: (torrent) => Boolean(torrent.tracker_trouble) },
];

/** Seconds until it is complete; null if that cannot be told. */
export function remaining(torrent) {
    if (!torrent.left || torrent.activity !== "downloading" || !torrent.download_rate) return null;
    return torrent.left / torrent.download_rate;
}
