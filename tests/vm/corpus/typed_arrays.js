const buffer = new ArrayBuffer(8), bytes = new Uint8Array(buffer), view = new DataView(buffer);
view.setInt16(0, -2); view.setFloat32(4, 1.5, true);
const clamped = new Uint8ClampedArray([300, -5, 1.5, 2.5]);
[[...bytes], view.getUint16(0, true), [...clamped], [...new Int8Array([200, -129])], [...new Uint16Array([70000])], bytes.subarray(1, 3).byteOffset, [...Float32Array.of(0.1)], [...bytes.slice(0, 2).fill(7)], Array.from(new Uint8Array([3, 1, 2]).sort())];
