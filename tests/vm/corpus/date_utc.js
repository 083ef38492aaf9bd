const d = new Date(Date.UTC(2024, 1, 29, 23, 59, 58, 7));
const e = new Date(d); e.setUTCFullYear(2023); e.setUTCHours(25);
[d.toISOString(), d.getUTCDay(), d.getTime(), e.toISOString(), JSON.stringify({ d }), new Date(0).getUTCFullYear(), new Date(8.64e15 + 1).getTime(), Date.UTC(99, 0)];
