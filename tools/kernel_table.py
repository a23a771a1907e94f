#!/usr/bin/env python3
"""What the assembler gave to every CUDA kernel: registers, shared memory, stack (spills are there).

    tools/kernel_table.py [BUILD]           writes kernels/KERNELS.md; BUILD: build/release
    tools/kernel_table.py --check [BUILD]   fails where a kernel has a stack, or where the kernels
                                            are not those of kernels/KERNELS.md; 77 without kernels

Reads the machine code in the objects of BUILD, so nothing is compiled and no tool of CUDA is needed:
registers and stack are attributes 0x2f and 0x11 of section .nv.info, the numbers of `ptxas -v`.
"""
import argparse
import collections
import pathlib
import re
import struct
import subprocess
import sys

TABLE = pathlib.Path(__file__).resolve().parent.parent / "kernels" / "KERNELS.md"
EM_CUDA = 190
SYMBOLS = 2                           # a type of sections
REGISTERS, STACK = 0x2f, 0x11         # attributes, each of a (symbol, value)
WITH_SIZE = 4                         # the form of attributes whose values have sizes of their own
RESERVED = {"sm_90": 1024}            # bytes of a block's shared memory that the system takes

Resources = collections.namedtuple("Resources", "registers shared stack")
Section = collections.namedtuple("Section", "name type place size link")


class Cubin:
    """An ELF file for one architecture."""

    def __init__(self, data):
        self.data = data
        self.machine, = struct.unpack_from("<H", data, 18)
        if self.machine != EM_CUDA:
            return
        table, flags = struct.unpack_from("<Q", data, 40)[0], struct.unpack_from("<I", data, 48)[0]
        self.architecture = f"sm_{flags >> 8 & 0xff}"
        size, count, names = struct.unpack_from("<HHH", data, 58)
        heads = [struct.unpack_from("<IIQQQQI", data, table + i * size) for i in range(count)]
        self.sections = [Section(self.text(heads[names][4] + name), kind, place, length, link)
                         for name, kind, _, _, place, length, link in heads]

    def text(self, place):
        return self.data[place:self.data.index(b"\0", place)].decode()

    def attributes(self, wanted):
        """The values of an attribute by the names of functions."""
        symbols = next(s for s in self.sections if s.type == SYMBOLS)
        strings = self.sections[symbols.link].place
        values = {}
        for section in self.sections:
            at = section.place
            while section.name == ".nv.info" and at < section.place + section.size:
                form, attribute, size = struct.unpack_from("<BBH", self.data, at)
                if attribute == wanted:
                    symbol, value = struct.unpack_from("<II", self.data, at + 4)
                    name, = struct.unpack_from("<I", self.data, symbols.place + 24 * symbol)
                    values[self.text(strings + name)] = value
                at += 4 + (size if form == WITH_SIZE else 0)
        return values

    def kernels(self):
        """(mangled name, resources) of every kernel: a function with parameters of its own."""
        sizes = {section.name: section.size for section in self.sections}
        registers, stacks = self.attributes(REGISTERS), self.attributes(STACK)
        for name in registers:
            if ".nv.info." + name in sizes:
                shared = sizes.get(".nv.shared." + name, 0)
                shared -= RESERVED.get(self.architecture, 0) if shared else 0
                yield name, Resources(registers[name], shared, stacks.get(name, 0))


def short_names(mangled):
    """Kernel names as one writes them: no namespaces, no parameters."""
    text = subprocess.run(["c++filt"], input="\n".join(mangled), text=True, check=True, capture_output=True).stdout
    for name, line in zip(mangled, text.splitlines()):
        line = re.sub(r"^void |\(anonymous namespace\)::|lodestone::|kernels::|__nv_", "", line).replace("> >", ">>")
        depth = 0
        for place, character in enumerate(line):
            depth += (character == "<") - (character == ">")
            if character == "(" and depth == 0:
                line = line[:place]
                break
        yield name, line


def read_build(build):
    """{(source file, kernel): {architecture: resources}} of the objects in a build folder."""
    table = collections.defaultdict(dict)
    for path in sorted(pathlib.Path(build).glob("**/kernels/cuda/*.cu.o")):
        if not (TABLE.parent / "cuda" / path.stem).exists():
            continue  # left over from a file that is gone
        data = path.read_bytes()
        for start in re.finditer(b"\x7fELF", data):
            cubin = Cubin(data[start.start():])
            if cubin.machine != EM_CUDA:
                continue
            found = dict(cubin.kernels())
            for mangled, kernel in short_names(list(found)):
                table[path.stem, kernel][cubin.architecture] = found[mangled]
    return table


def markdown(table):
    architectures = sorted({architecture for row in table.values() for architecture in row})
    lines = ["# Registers and shared memory of every kernel", "",
             "Written by `tools/kernel_table.py` from the built objects: registers of a thread and, where there is any,",
             "bytes of static shared memory of a block. A stack means spilled registers or an array indexed by a variable;",
             "it is named where there is one, and the test `kernel_table` fails.",
             "", "| kernel | " + " | ".join(architectures) + " |", "|---" * (1 + len(architectures)) + "|"]
    source = None
    for file, kernel in sorted(table):
        if file != source:
            lines.append(f"| **{file}** |" + " |" * len(architectures))
            source = file
        cells = [cell_of(table[file, kernel].get(architecture)) for architecture in architectures]
        lines.append(f"| `{kernel}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def cell_of(found):
    if not found:
        return "-"
    shared = f", {found.shared} B" if found.shared else ""
    return f"{found.registers}{shared}" + (f", stack of {found.stack} B" if found.stack else "")


def read_markdown(text, architectures):
    """The (source file, kernel) pairs of a table that have a number for one of the architectures."""
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line[:1] == "|"]
    columns = [place for place, name in enumerate(rows[0]) if name in architectures]
    pairs, source = set(), None
    for row in rows[2:]:
        if row[0].startswith("**"):
            source = row[0].strip("*| ")
        elif any(row[place] != "-" for place in columns):
            pairs.add((source, row[0].strip("`")))
    return pairs


def complaints(table):
    for (file, kernel), row in sorted(table.items()):
        for architecture, found in sorted(row.items()):
            if found.stack:
                yield (f"{file}: {kernel} has a stack of {found.stack} bytes for {architecture}, expected none: "
                       "it spills registers or indexes an array of its own by a variable")
    architectures = {architecture for row in table.values() for architecture in row}
    written = read_markdown(TABLE.read_text(), architectures)
    for file, kernel in sorted(set(table) - written):
        yield f"{file}: {kernel} is built but not in kernels/KERNELS.md: run tools/kernel_table.py"
    for file, kernel in sorted(written - set(table)):
        yield f"{file}: {kernel} is in kernels/KERNELS.md but not built: run tools/kernel_table.py"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", nargs="?", default=TABLE.parent.parent / "build" / "release")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    table = read_build(arguments.build)
    if not table:
        print(f"skipped: {arguments.build} has no objects of kernels/cuda (a build without nvcc?)")
        sys.exit(77)
    if not arguments.check:
        TABLE.write_text(markdown(table))
        return
    found = list(complaints(table))
    print("\n".join(found) or f"{len(table)} kernels, none with a stack")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
