#!/bin/sh
# build.sh DIRECTORY: the same programs without CMake, by pkg-config. PKG_CONFIG_PATH must name PREFIX/lib/pkgconfig.
set -eu
here=$(dirname "$0")
mkdir -p "$1"
# $(...) is meant to be several words.
# shellcheck disable=SC2046
build() { ${CXX:-c++} -std=c++20 -O1 "$here/$1.cpp" -o "$2/$1" $(pkg-config --cflags --libs "$3"); }
build walk "$1" faultline-mmu
build page_faults "$1" faultline-vm
build run_program "$1" faultline-machine
