const day = 864e5, start = Date.UTC(2023, 11, 30);
const days = [0, 1, 2, 61].map((n) => new Date(start + n * day).toISOString().slice(0, 10));
const moved = new Date(start); moved.setUTCMonth(moved.getUTCMonth() + 2);
[days, moved.toISOString(), new Date(2e12) - new Date(1e12), new Date(NaN).getTime()];
