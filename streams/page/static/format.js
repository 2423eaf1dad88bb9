// Numbers, durations and instants as people read them, in their language and the district's zone.
import { WORDS } from "/static/words.js";

const MINUTE = 60_000, HOUR = 60 * MINUTE, DAY = 24 * HOUR;

export class Format {
  constructor(language, zone) {
    this.language = language;
    this.words = WORDS[language];
    this.number = new Intl.NumberFormat(language);
    this.tenth = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
    this.percent = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 0 });
    const clock = { timeZone: zone, hour: "numeric", minute: "2-digit", timeZoneName: "short" };
    this.near = new Intl.DateTimeFormat(language, { ...clock, weekday: "short" });
    this.far = new Intl.DateTimeFormat(language, { ...clock, month: "short", day: "numeric" });
    this.monthName = new Intl.DateTimeFormat(language, { timeZone: "UTC", month: "long", year: "numeric" });
    this.date = new Intl.DateTimeFormat(language, { timeZone: "UTC", weekday: "short", month: "short", day: "numeric" });
  }

  say(word, values = {}) {
    return this.words[word].replace(/\{(\w+)\}/g, (_, name) => values[name]);
  }

  count(value) { return this.number.format(value); }
  share(value) { return value === null ? this.words.none : this.percent.format(value); }
  points(value) { return value === null ? this.words.none : this.number.format(Math.round(value)); }
  time(at) { return (Math.abs(Date.now() - at) < 6 * DAY ? this.near : this.far).format(at); }
  month(text) { return this.monthName.format(new Date(`${text}-01T00:00:00Z`)); }
  day(text) { return this.date.format(new Date(`${text}T00:00:00Z`)); }

  duration(ms) {
    if (ms === null) return this.words.none;
    if (ms < MINUTE) return this.say("under-min");
    if (ms < HOUR) return this.say("min", { n: Math.round(ms / MINUTE) });
    if (ms < 10 * HOUR) {
      const minutes = Math.round(ms / MINUTE), rest = minutes % 60;
      return rest ? this.say("hmin", { h: Math.floor(minutes / 60), n: rest }) : this.say("h", { n: minutes / 60 });
    }
    if (ms < 2 * DAY) return this.say("h", { n: this.count(Math.round(ms / HOUR)) });
    return this.say("d", { n: this.tenth.format(ms / DAY) });
  }
}

// An id that nobody has named reads better as words.
export const pretty = (id) => id.split(/[-_]/).map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join(" ");
