// Prints what chidori.d.ts declares as JSON: {method: [option, …]}, options in alphabetical order.
import { fileURLToPath } from "node:url";
import ts from "typescript";

const file = fileURLToPath(new URL("../chidori.d.ts", import.meta.url));
const globals = fileURLToPath(new URL("../globals.d.ts", import.meta.url));
const program = ts.createProgram([file, globals], { strict: true, lib: ["lib.es2023.d.ts"], types: [] });
const checker = program.getTypeChecker();
const source = program.getSourceFile(file);
const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(source));
const host = checker.getDeclaredTypeOfSymbol(exported.find(({ name }) => name === "Chidori"));

/** Names of the properties of every parameter `options` of a method's overloads. */
function optionsOf(method) {
  const type = checker.getTypeOfSymbolAtLocation(method, source);
  const parameters = type.getCallSignatures().flatMap((signature) => signature.getParameters());
  const types = parameters
    .filter(({ name }) => name === "options")
    .map((parameter) => checker.getNonNullableType(checker.getTypeOfSymbolAtLocation(parameter, source)));
  return [...new Set(types.flatMap((type) => checker.getPropertiesOfType(type).map(({ name }) => name)))].sort();
}

console.log(JSON.stringify(Object.fromEntries(host.getProperties().map((method) => [method.name, optionsOf(method)]))));
