["1234567".replace(/\B(?=(\d{3})+$)/g, ","), "$5 €6 7".match(/(?<=[$€])\d/g), "a1b2".match(/(?<!b)\d/g), "foobar foobaz".match(/foo(?!bar)\w+/)[0], "price: 10".replace(/(?<=: )\d+/, (n) => n * 2)];
