const s = "a😀é\u0301z";
[s.length, [...s].length, s.codePointAt(1), s.charCodeAt(1), String.fromCodePoint(128512, 97), s.split("").length, "\u{1F600}" === "😀", encodeURIComponent(s), decodeURIComponent("%F0%9F%98%80"), escape("é €"), encodeURI("http://x/é?a=b&c#d"), "ﬀ".toUpperCase(), "Σ".toLowerCase(), "ΑΣ".toLowerCase()];
