#!/usr/bin/perl
# What perl's consumers make of files, as JSON: read.pl tap|perfdata FILE... prints one value per file.
use strict;
use warnings;
use JSON::PP;
use Encode qw(decode);

my ($kind, @files) = @ARGV;

sub tap {
    require TAP::Parser;
    my ($text) = @_;
    my $parser = TAP::Parser->new({ tap => $text });
    my (@points, @unknown);
    while (my $result = $parser->next) {
        if ($result->is_test) {
            push @points, {
                ok   => $result->is_actual_ok ? JSON::PP::true : JSON::PP::false,
                skip => $result->has_skip     ? JSON::PP::true : JSON::PP::false,
                todo => $result->has_todo     ? JSON::PP::true : JSON::PP::false,
                text => $result->description,
            };
        }
        elsif ($result->is_yaml) { $points[-1]{yaml} = $result->data }
        elsif (!$result->is_plan && !$result->is_version) { push @unknown, $result->as_string }
    }
    return { points => \@points, errors => [ $parser->parse_errors ], unknown => \@unknown };
}

sub perfdata {
    require Monitoring::Plugin::Performance;
    my ($text) = @_;
    my @data;
    for my $line (split /\n/, $text) {
        next unless $line =~ / \| (.*)/;
        my $part = $1;
        # The parser goes silent at what it does not understand, so what it did is held against the whole.
        for my $datum (Monitoring::Plugin::Performance->parse_perfstring($part)) {
            my $threshold = $datum->threshold;
            push @data, {
                label => $datum->label, value => $datum->value, uom => $datum->uom // '',
                warning => '' . $threshold->warning, critical => '' . $threshold->critical,
            };
        }
    }
    return \@data;
}

my @results;
for my $path (@files) {
    open my $file, '<:raw', $path or die "$path: $!";
    local $/ = undef;
    my $text = decode('UTF-8', <$file>, Encode::FB_CROAK);
    my $result = eval { $kind eq 'tap' ? tap($text) : perfdata($text) };
    push @results, defined $result ? $result : { error => "$@" };
}
print JSON::PP->new->utf8->encode(\@results);
