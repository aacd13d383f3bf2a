# What `cmake --install` puts where, so that pkg-config and find_package() find it.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

install(TARGETS tape tape_static EXPORT tapeTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES csrc/tape.h csrc/tape_fressian.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# find_package(tape)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/tape)
install(EXPORT tapeTargets NAMESPACE tape:: DESTINATION ${package})
configure_package_config_file(cmake/tapeConfig.cmake.in ${PROJECT_BINARY_DIR}/tapeConfig.cmake
  INSTALL_DESTINATION ${package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/tapeConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/tapeConfig.cmake ${PROJECT_BINARY_DIR}/tapeConfigVersion.cmake
  DESTINATION ${package})

# pkg-config: the prefix is told from where tape.pc lies, since `cmake --install --prefix` may
# choose another one than the configuration did.
if(IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR} OR IS_ABSOLUTE ${CMAKE_INSTALL_INCLUDEDIR})
  set(pc_prefix ${CMAKE_INSTALL_PREFIX})
  set(pc_libdir ${CMAKE_INSTALL_FULL_LIBDIR})
  set(pc_includedir ${CMAKE_INSTALL_FULL_INCLUDEDIR})
else()
  file(RELATIVE_PATH pc_up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  string(REGEX REPLACE "/$" "" pc_up "${pc_up}")
  set(pc_prefix "\${pcfiledir}/${pc_up}")
  set(pc_libdir "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
  set(pc_includedir "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
configure_file(cmake/tape.pc.in ${PROJECT_BINARY_DIR}/tape.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/tape.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# Man pages, out of the headers.
find_package(Python3 COMPONENTS Interpreter QUIET)
set(python OFF)
if(Python3_FOUND)
  set(python ON)
endif()
option(TAPE_MAN "Make the man pages" ${python})
if(TAPE_MAN)
  set(man ${PROJECT_BINARY_DIR}/man)
  set(headers ${PROJECT_SOURCE_DIR}/csrc/tape.h ${PROJECT_SOURCE_DIR}/csrc/tape_fressian.h)
  file(GLOB generator CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tools/*.py)
  add_custom_command(OUTPUT ${man}/stamp
    COMMAND ${CMAKE_COMMAND} -E rm -rf ${man}/man3
    COMMAND ${Python3_EXECUTABLE} -B -m tools.man ${man}/man3
    COMMAND ${CMAKE_COMMAND} -E touch ${man}/stamp
    WORKING_DIRECTORY ${PROJECT_SOURCE_DIR} DEPENDS ${headers} ${generator} VERBATIM)
  add_custom_target(tape_man ALL DEPENDS ${man}/stamp)
  install(DIRECTORY ${man}/man3 DESTINATION ${CMAKE_INSTALL_MANDIR})
endif()

if(top_level)
  add_custom_target(uninstall COMMAND ${CMAKE_COMMAND}
    -DMANIFEST=${PROJECT_BINARY_DIR}/install_manifest.txt
    -P ${PROJECT_SOURCE_DIR}/cmake/uninstall.cmake)
endif()
