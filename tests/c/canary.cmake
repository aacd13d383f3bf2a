# Passes when ThreadSanitizer reports the race that the canary contains, and only then.
set(ENV{TSAN_OPTIONS} "exitcode=66")
execute_process(COMMAND ${PROGRAM} RESULT_VARIABLE code ERROR_VARIABLE report OUTPUT_QUIET)
if(NOT code EQUAL 66)
  message(FATAL_ERROR "the canary ended with ${code}; ThreadSanitizer should have ended it with 66")
endif()
if(NOT report MATCHES "WARNING: ThreadSanitizer: data race")
  message(FATAL_ERROR "no data race in the report:\n${report}")
endif()
