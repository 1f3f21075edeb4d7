# The tests that are shell scripts. Each says what it does in its head; exit code 77 means skipped, and why is its last
# line. They find the programs in build/bin, and a failure leaves the daemon's log in what the test printed.
function(millrace_shell_test name timeout)
  add_test(NAME ${name} COMMAND ${ARGN} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT ${timeout} LABELS shell
                       ENVIRONMENT "MILLRACE_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
endfunction()

if(MILLRACE_DAEMON)
  millrace_shell_test(style.layers 120 tests/layers_test.sh)
  millrace_shell_test(style.format 300 tests/format_test.sh)
  millrace_shell_test(style.proto 300 tests/proto_test.sh)
  millrace_shell_test(style.workflows 300 tests/workflows_test.sh)
  millrace_shell_test(style.tidy 1500 tests/tidy_test.sh ${CMAKE_BINARY_DIR})
  # It looks at every file with all processors, so it goes first and alone.
  set_tests_properties(style.tidy PROPERTIES RUN_SERIAL ON COST 1000)

  # docker_test.sh is not among them: it compiles everything once more. tests/README.md tells how to run it.
  set(e2e ${CMAKE_CURRENT_SOURCE_DIR}/e2e)
  file(GLOB journeys CONFIGURE_DEPENDS RELATIVE ${e2e} ${e2e}/*_test.sh)
  list(REMOVE_ITEM journeys docker_test.sh)
  foreach(journey ${journeys})
    string(REPLACE "_test.sh" "" name ${journey})
    millrace_shell_test(e2e.${name} 300 tests/e2e/${journey})
  endforeach()
  # It compiles; where the compiler cache knows nothing of it, half of the tree below gRPC.
  set_tests_properties(e2e.packages PROPERTIES TIMEOUT 900 PROCESSORS 2)
  # As above, for gRPC in Go.
  set_tests_properties(e2e.go e2e.mad_daemon e2e.old_peers PROPERTIES TIMEOUT 900)
endif()

if(NOT MILLRACE_SANITIZE)
  millrace_shell_test(runtime.gdb 300 tests/runtime/gdb_test.sh)
  millrace_shell_test(runtime.valgrind 300 tests/runtime/valgrind_test.sh)
endif()
