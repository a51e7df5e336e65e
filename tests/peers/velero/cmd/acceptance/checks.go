package main

// checks are those that need the test actions of tests/wire/actions_for_tests.py.
func checks() []check {
	return append([]check{
		{"backup-item-is-echoed", backupItemIsEchoed},
		{"only-the-declared-field-changes", onlyTheDeclaredFieldChanges},
		{"additional-items-arrive", additionalItemsArrive},
		{"operation-is-started-asked-and-cancelled", operationIsStartedAskedAndCancelled},
		{"operation-is-answered-by-a-new-process", operationIsAnsweredByANewProcess},
		{"progress-without-operations-is-an-error", progressWithoutOperationsIsAnError},
		{"empty-backup-is-no-obstacle", emptyBackupIsNoObstacle},
		{"restore-item-is-echoed", restoreItemIsEchoed},
		{"restore-sees-the-stored-item", restoreSeesTheStoredItem},
		{"restore-is-skipped", restoreIsSkipped},
		{"restore-waits-until-its-items-are-ready", restoreWaitsUntilItsItemsAreReady},
		{"restore-operation-is-asked-and-cancelled", restoreOperationIsAskedAndCancelled},

		{"own-error-has-its-place", ownErrorHasItsPlace},
		{"fault-has-its-place", faultHasItsPlace},
		{"system-exit-is-answered", systemExitIsAnswered},
		{"keyboard-interrupt-is-answered", keyboardInterruptIsAnswered},
		{"recursion-is-answered", recursionIsAnswered},
		{"endless-message-is-cut", endlessMessageIsCut},
		{"message-without-utf-8-is-answered", messageWithoutUTF8IsAnswered},
		{"outcome-without-json-is-answered", outcomeWithoutJSONIsAnswered},
		{"missing-outcome-is-answered", missingOutcomeIsAnswered},
		{"unknown-action-is-named", unknownActionIsNamed},
		{"refusal-is-printed-with-its-place", refusalIsPrintedWithItsPlace},

		{"large-items-pass", largeItemsPass},
		{"parallel-calls-are-kept-apart", parallelCallsAreKeptApart},
		{"saturated-plugin-answers-and-ends", saturatedPluginAnswersAndEnds},
		{"crash-is-followed-by-one-restart", crashIsFollowedByOneRestart},
		{"clean-up-is-graceful", cleanUpIsGraceful},

		{"levels-are-velero-s", levelsAreVeleros},
		{"fields-and-source-are-printed", fieldsAndSourceArePrinted},
		{"nasty-fields-are-harmless", nastyFieldsAreHarmless},
		{"long-lines-stay-whole", longLinesStayWhole},
		{"print-is-debug", printIsDebug},
		{"words-of-a-go-panic-change-nothing", wordsOfAGoPanicChangeNothing},
	}, checksOfThisVersion()...)
}
