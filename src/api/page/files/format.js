// Numbers as people read them.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const NONE = "–";

const count = new Intl.NumberFormat();
const dateTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const date = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

/** 1536 -> "1.50 KiB": three digits. */
export function bytes(number) {
    if (number === null || number === undefined) return NONE;
    let unit = 0;
    while (number >= 999.5 && unit < UNITS.length - 1) {
        number /= 1024;
        unit += 1;
    }
    if (unit === 0) return `${number} B`;
    return `${number.toFixed(number < 9.995 ? 2 : number < 99.95 ? 1 : 0)} ${UNITS[unit]}`;
}

/** Bytes a second; nothing for none, so that what moves stands out. */
export function rate(number) {
    return number > 0 ? `${bytes(number)}/s` : "";
}

/** Bytes a second, zero as well. */
export function rateOrZero(number) {
    return `${bytes(number ?? 0)}/s`;
}

/** A limit in bytes a second. */
export function limit(number) {
    return number === null || number === undefined ? "none" : `${bytes(number)}/s`;
}

/** 0.9999 -> "99.9 %": it says 100 only of the whole. */
export function percent(part) {
    if (part >= 1) return "100 %";
    return `${(Math.floor(part * 1000) / 10).toFixed(1)} %`;
}

/** A ratio, "–" of nothing. */
export function ratio(number) {
    return number === null || number === undefined ? NONE : number.toFixed(number < 99.995 ? 2 : 0);
}

/** 1234567 -> "1,234,567". */
export function whole(number) {
    return number === null || number === undefined ? NONE : count.format(number);
}

/** Seconds -> "3 d 4 h": two units. */
export function duration(seconds) {
    if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return NONE;
    const steps = [
        [31_536_000, "y"],
        [86_400, "d"],
        [3_600, "h"],
        [60, "min"],
        [1, "s"],
    ];
    const first = Math.max(
        steps.findIndex(([size]) => seconds >= size),
        0,
    );
    if (seconds < 1) return "0 s";
    const [size, name] = steps[first];
    const next = steps[first + 1];
    const rest = next ? Math.floor((seconds % size) / next[0]) : 0;
    return `${Math.floor(seconds / size)} ${name}${rest > 0 ? ` ${rest} ${next[1]}` : ""}`;
}

/** Seconds since 1970 -> date and time, as is usual here. */
export function moment(seconds) {
    return seconds ? dateTime.format(seconds * 1000) : NONE;
}

/** Seconds since 1970 -> date, as is usual here. */
export function day(seconds) {
    return seconds ? date.format(seconds * 1000) : "";
}

/** 1, "torrent" -> "1 torrent"; 2 -> "2 torrents". */
export function counted(number, noun) {
    return `${whole(number)} ${noun}${number === 1 ? "" : "s"}`;
}
