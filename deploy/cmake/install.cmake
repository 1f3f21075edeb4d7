# What `cmake --install` installs: the programs, and three CMake packages with namespaced static libraries.
#
#   component    has
#   programs     millraced, millrace, millrace-admin; share/doc/millrace with the example configuration and alerts; the
#                gdb script in share/millrace/gdb
#   runtime      package millrace-runtime: millrace::runtime, millrace::sync, millrace::io
#   client       package millrace: millrace::client, millrace::proto, and the .proto files in share/millrace/proto
#   base         package millrace-base: millrace::base, of which each of the two above has need
#
#   cmake --install build --prefix /usr --component programs        without --component: all that was built
#
# Headers are installed under include/millrace, which is the include path that the targets bring: `#include
# "runtime/runtime.h"` finds ours, and no other library's folder `runtime` or `client` is in the way.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(headers ${CMAKE_INSTALL_INCLUDEDIR}/millrace)

# millrace_package(COMPONENT NAME targets...): the CMake package NAME. NAME-config.cmake.in beside this file finds what
# the targets link to.
function(millrace_package component name)
  set(folder ${CMAKE_INSTALL_LIBDIR}/cmake/${name})
  set(made ${PROJECT_BINARY_DIR}/cmake/${name}-config)
  install(TARGETS ${ARGN} EXPORT ${name} ARCHIVE COMPONENT ${component} INCLUDES DESTINATION ${headers})
  install(EXPORT ${name} NAMESPACE millrace:: FILE ${name}-targets.cmake DESTINATION ${folder} COMPONENT ${component})
  configure_package_config_file(
    ${PROJECT_SOURCE_DIR}/deploy/cmake/${name}-config.cmake.in ${made}.cmake
    INSTALL_DESTINATION ${folder} PATH_VARS CMAKE_INSTALL_DATADIR NO_CHECK_REQUIRED_COMPONENTS_MACRO)
  # Until 1.0 a new minor version may break what the one before promised.
  write_basic_package_version_file(${made}-version.cmake COMPATIBILITY SameMinorVersion)
  install(FILES ${made}.cmake ${made}-version.cmake DESTINATION ${folder} COMPONENT ${component})
endfunction()

# millrace_headers(COMPONENT folder): all headers of a folder and of those in it.
function(millrace_headers component folder)
  install(DIRECTORY ${folder} DESTINATION ${headers} COMPONENT ${component} FILES_MATCHING PATTERN "*.h")
endfunction()

millrace_package(base millrace-base millrace_base)
millrace_headers(base server/base)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT base)

millrace_package(runtime millrace-runtime millrace_runtime millrace_sync millrace_io)
foreach(folder runtime sync io)
  millrace_headers(runtime server/${folder})
endforeach()

if(TARGET millrace_client)
  millrace_package(client millrace millrace_proto millrace_client)
  # The others of the folder are the library's own.
  install(FILES client/client.h client/outcome.h client/submit_stream.h client/words.h client/worker.h
          DESTINATION ${headers}/client COMPONENT client)
  millrace_headers(client ${PROJECT_BINARY_DIR}/proto/gen/)
  install(DIRECTORY proto/millrace proto/google DESTINATION ${CMAKE_INSTALL_DATADIR}/millrace/proto COMPONENT client
          FILES_MATCHING PATTERN "*.proto")

  install(TARGETS millraced millrace millrace-admin RUNTIME COMPONENT programs)
  install(FILES deploy/config.example.toml deploy/alerts.example.yml README.md CHANGELOG.md SECURITY.md
          DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT programs)
  install(FILES deploy/gdb/millrace-gdb.py DESTINATION ${CMAKE_INSTALL_DATADIR}/millrace/gdb COMPONENT programs)
endif()
