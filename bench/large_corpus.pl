#!/usr/bin/env perl
# Writes so many pairs, `source TAB target`: sentences of one pattern with the number of their line, one in twenty of them with a small number, so that some come again.
#
#     perl bench/large_corpus.pl 50000000 > large.tsv
use strict;
use warnings;

my ($pairs) = @ARGV or die "how many pairs?\n";
my @source_nouns = qw(Hund Katze Haus Baum Stadt Kind Lehrer Buch Zug Brief Garten Fenster Schule Apfel Wasser Freund);
my @target_nouns = qw(dog cat house tree town child teacher book train letter garden window school apple water friend);
my @source_verbs = qw(sieht liest sucht kauft vergisst findet zeichnet braucht);
my @target_verbs = qw(sees reads seeks buys forgets finds draws needs);
srand(7);
for my $line (1 .. $pairs) {
    my ($subject, $verb, $object) = (int(rand(16)), int(rand(8)), int(rand(16)));
    my $number = rand() < 0.05 ? int(rand(1000)) : $line;
    print "Der $source_nouns[$subject] Nr. $number $source_verbs[$verb] heute den $source_nouns[$object].\t",
        "The $target_nouns[$subject] no. $number $target_verbs[$verb] the $target_nouns[$object] today.\n";
}
