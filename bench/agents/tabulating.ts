// An output of about 100 bytes a row, none of them the same.
export async function agent(input: { rows: number }) {
  return Array.from({ length: input.rows }, (_, row) => ({
    row,
    name: `measurement ${row} of ${input.rows}`,
    value: row * Math.SQRT2,
    state: row % 7 ? "accepted" : "rejected",
  }));
}
