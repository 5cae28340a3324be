# cmake -DNM= -DOBJCOPY= -DOBJECT= -DPUBLIC=PATTERN[,PATTERN...] -P localize.cmake: makes all symbols that OBJECT defines
# local but those of a public name, and takes debug information out.
#
# objcopy passes over "unique" symbols (static objects of inline functions and templates), so these become weak first.
cmake_minimum_required(VERSION 3.25)
execute_process(COMMAND "${NM}" --defined-only "${OBJECT}" OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL " u [^\n]+" unique "${symbols}")
list(TRANSFORM unique REPLACE "^ u " "")
list(JOIN unique "\n" unique)
file(WRITE "${OBJECT}.unique" "${unique}\n")
execute_process(COMMAND "${OBJCOPY}" --strip-debug "--weaken-symbols=${OBJECT}.unique" "${OBJECT}"
  COMMAND_ERROR_IS_FATAL ANY)
file(REMOVE "${OBJECT}.unique")

string(REPLACE "," ";" public "${PUBLIC}")
list(TRANSFORM public PREPEND "--keep-global-symbol=")
execute_process(COMMAND "${OBJCOPY}" --wildcard ${public} "${OBJECT}" COMMAND_ERROR_IS_FATAL ANY)
